"""The cfg file: sections in brackets, options as key=value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.names import shown

#: Real files have some 30 kB and 400 layers.
MAX_BYTES = 4 << 20
MAX_SECTIONS = 10_000
#: Darknet's own numbers are ints of 32 bits.
MAX_INTEGER = (1 << 31) - 1


@dataclass(frozen=True)
class Section:
    """One section: its type without the brackets, its line, and its options as text."""

    kind: str
    line: int
    options: Mapping[str, str]

    def integer(self, key: str, default: int, low: int = 0, high: int = MAX_INTEGER) -> int:
        """An option that counts something. Raises ModelError outside ``low``..``high``."""
        return self._integer(key, self.options[key], low, high) if key in self.options else default

    def integers(self, key: str) -> list[int]:
        """A list of numbers of either sign; empty where the option is absent."""
        return [self._integer(key, t, -MAX_INTEGER, MAX_INTEGER) for t in self._items(key)]

    def real(self, key: str, default: float) -> float:
        """A finite number."""
        return _real(key, self.options[key]) if key in self.options else default

    def reals(self, key: str) -> list[float]:
        """A list of finite numbers; empty where the option is absent."""
        return [_real(key, text) for text in self._items(key)]

    def text(self, key: str, default: str) -> str:
        """An option as it stands."""
        return self.options.get(key, default)

    def flag(self, key: str) -> bool:
        """Whether an option is there and not 0."""
        return self.real(key, 0) != 0

    def _items(self, key: str) -> list[str]:
        return [item for item in self.options.get(key, "").split(",") if item]

    def _integer(self, key: str, text: str, low: int, high: int) -> int:
        number = _real(key, text)  # "2.0" is a number of things, too
        if number != int(number):
            raise ModelError(f"{key}={shown(text)} is not a whole number")
        if not low <= number <= high:
            raise ModelError(f"{key}={shown(text)} is not within {low} to {high}")
        return int(number)


def read_cfg(path: Path) -> list[Section]:
    """The sections of a file, the first of which is [net]. Raises ModelError naming the line.

    As in Darknet, white space means nothing, lines that open with # or ; are comments, and the
    first of two options of the same name counts.
    """
    sections: list[Section] = []
    options: dict[str, str] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        line = "".join(line.split())
        if line.startswith("["):
            kind, bracket, rest = line[1:].partition("]")
            if not kind or not bracket or rest[:1] not in ("", "#", ";"):
                raise ModelError(f"line {number}: {shown(line)} is not like [convolutional]")
            if len(sections) > MAX_SECTIONS:
                raise UnsupportedError(f"more than {MAX_SECTIONS} layers")
            options = {}
            sections.append(Section(kind, number, options))
        elif line and line[0] not in "#;":
            key, equals, value = line.partition("=")
            if not equals or not key:
                raise ModelError(f"line {number}: {shown(line)} is not like key=value")
            if not sections:
                raise ModelError(f"line {number}: {shown(line)} stands before the first section")
            options.setdefault(key, value.partition("#")[0])
    if not sections or sections[0].kind not in ("net", "network"):
        raise ModelError("not a Darknet model: it does not open with [net]")
    if len(sections) == 1:
        raise ModelError("the model has no layers")
    return sections


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise ModelError("cannot be read: no such file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{size} bytes are too many for a Darknet model")
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}") from error


def _real(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ModelError(f"{key}={shown(text)} is not a number")
    return number
