"""Starts Python again as this process was started."""

from __future__ import annotations

import sys
from pathlib import Path


def python_command(*arguments: str) -> list[str]:
    """The command that runs this interpreter with other arguments.

    Where it was started through a dynamic loader (`ld.so --library-path … python`), its child needs
    the same loader to find the same libraries.
    """
    try:
        words = Path("/proc/self/cmdline").read_text(errors="surrogateescape").split("\0")[:-1]
    except OSError:
        words = []
    loader = words[: -len(sys.orig_argv)] if len(words) > len(sys.orig_argv) else []
    return [*loader, sys.executable, *arguments]
