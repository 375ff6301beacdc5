"""What doctor finds: one line each, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: "note": neither good nor bad, worth knowing.
Status = Literal["ok", "note", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """``what`` was looked at, how it is, why; ``fix`` is a shell command or several lines of it."""

    status: Status
    what: str
    detail: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Section:
    """Findings under a title."""

    title: str
    findings: tuple[Finding, ...]
