"""Message: checked access to the fields of a part of a prototxt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.names import shown

_INT32 = range(-(1 << 31), 1 << 32)  # int32 and uint32
_T = TypeVar("_T")


class Word(str):
    """A bare word: true, MAX, TEST, inf…"""


class Message:
    """Fields by name, each with its values in order: int, float, str, Word or Message.

    Types are checked where a field is read, for only the reader knows them. A field that occurs
    twice but is read as one is refused, as protobuf does.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.values: dict[str, list[Any]] = {}
        self._read: set[str] = set()
        self._ignored: set[str] = set()

    def add(self, field: str, value: Any) -> None:
        """Append a value of a field."""
        self.values.setdefault(field, []).append(value)

    def has(self, field: str) -> bool:
        """Whether the field is given."""
        return bool(self._all(field))

    def integer(self, field: str, default: int | None = None, low: int | None = None) -> int:
        """A whole number, at least ``low``. Without a default it must be there, as all below."""
        values = self.integers(field, low)
        return self._single(field, values, default)

    def integers(self, field: str, low: int | None = None) -> tuple[int, ...]:
        """The numbers of a repeated field."""
        values = self._of_type(field, (int,), "a whole number")
        for value in values:
            if value not in _INT32 or (low is not None and value < low):
                raise ModelError(f"{self._path(field)} is {str(value)[:20]}")
        return tuple(values)

    def real(self, field: str, default: float | None = None) -> float:
        """A finite number."""
        return self._single(field, self.reals(field), default)

    def reals(self, field: str) -> tuple[float, ...]:
        """The finite numbers of a repeated field."""
        values = self._of_type(field, (int, float), "a finite number")
        if not all(abs(v) < 1e39 and math.isfinite(v) for v in values):
            raise ModelError(f"{self._path(field)} is not a finite number")
        return tuple(float(v) for v in values)

    def flag(self, field: str, default: bool = False) -> bool:
        """A truth value."""
        known = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
        values = [str(v).lower() for v in self._of_type(field, (Word, int), "true or false")]
        if any(v not in known for v in values):
            raise ModelError(f"{self._path(field)} is neither true nor false")
        return known[self._single(field, values, str(default).lower())]

    def text(self, field: str, default: str | None = None) -> str:
        """A quoted text."""
        return self._single(field, self.texts(field), default)

    def texts(self, field: str) -> tuple[str, ...]:
        """The texts of a repeated field."""
        values = self._of_type(field, (str,), "a quoted text")
        if any(isinstance(v, Word) for v in values):
            raise ModelError(f"{self._path(field)} is not a quoted text")
        return tuple(values)

    def choice(self, field: str, default: str, choices: Sequence[str], first: int = 0) -> str:
        """A word of an enumeration, also by its number; ``first`` is that of the first word."""
        values = self._of_type(field, (Word, int), f"one of {', '.join(choices)}")
        value = self._single(field, values, default)
        if isinstance(value, int) and 0 <= value - first < len(choices):
            return choices[value - first]
        if value not in choices:
            known = ", ".join(choices)
            raise UnsupportedError(f"{self._path(field)} {shown(str(value))} is not one of {known}")
        return str(value)

    def message(self, field: str) -> Message:
        """A part; an empty one where it is absent."""
        return self._single(field, self.messages(field), Message(field))

    def messages(self, field: str) -> tuple[Message, ...]:
        """The parts of a repeated field."""
        return tuple(self._of_type(field, (Message,), "a group in braces"))

    def ignore(self, *fields: str) -> None:
        """Name fields that change nothing here, such as how weights are initialised."""
        self._ignored.update(fields)

    def unread(self) -> Iterator[str]:
        """The fields that nobody asked for, those of parts included, with their way."""
        for field, values in self.values.items():
            if field in self._ignored:
                continue
            if field not in self._read:
                yield self._path(field)
            for value in values:
                if isinstance(value, Message):
                    yield from (f"{self.name}.{inner}" for inner in value.unread())

    def _all(self, field: str) -> list[Any]:
        self._read.add(field)
        return self.values.get(field, [])

    def _of_type(self, field: str, types: tuple[type, ...], what: str) -> list[Any]:
        values = self._all(field)
        if not all(isinstance(v, types) for v in values):
            raise ModelError(f"{self._path(field)} is not {what}")
        return values

    def _single(self, field: str, values: Sequence[_T], default: _T | None) -> _T:
        if len(values) > 1:
            raise ModelError(f"{self._path(field)} is given {len(values)} times")
        if values:
            return values[0]
        if default is None:
            raise ModelError(f"{self._path(field)} is missing")
        return default

    def _path(self, field: str) -> str:
        return shown(f"{self.name}.{field}" if self.name else field)[1:-1]
