"""Checked access to a FlatBuffers file through the classes that its compiler generated.

These follow any offset that a file holds. Here each table must lie within the file before one of
its fields is read, and all vectors together must not be much larger than the file, which stops
vectors that lie within each other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from clnet.errors import ModelError

#: Tables in one vector. Each becomes a Python object many times its size in the file.
MAX_TABLES = 1 << 18


@contextmanager
def faults_are_model_errors() -> Iterator[None]:
    """Turn what the generated accessors raise over a damaged file into one ModelError."""
    try:
        yield
    except (struct.error, ValueError, TypeError, IndexError, OverflowError) as error:
        raise ModelError(f"damaged: {error}") from error


class FlatFile:
    """The bytes of a FlatBuffers file and what may still be read of them."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.size = data, len(data)
        self._left = 4 * self.size + 4096

    def table(self, table: Any) -> Any:
        """The same table, once its fields are known to lie within the file."""
        position = table._tab.Pos
        if not 0 <= position <= self.size - 4:
            raise ModelError("damaged: a table lies outside the file")
        start = position - struct.unpack_from("<i", self.data, position)[0]
        if not 0 <= start <= self.size - 4:
            raise ModelError("damaged: a table's layout lies outside the file")
        length, extent = struct.unpack_from("<HH", self.data, start)
        if length < 4 or length % 2 or start + length > self.size or position + extent > self.size:
            raise ModelError("damaged: a table reaches beyond the file")
        fields = np.frombuffer(self.data, "<u2", length // 2 - 2, start + 4)
        if fields.max(initial=0) >= extent > 0:
            raise ModelError("damaged: a table's field lies outside the table")
        return table

    def tables(self, owner: Any, field: str) -> list[Any]:
        """A vector of tables, empty where it is absent."""
        count = getattr(owner, f"{field}Length")()
        if count > MAX_TABLES:
            raise ModelError(f"damaged: {count} {field}")
        self._spend(4 * count)
        return [self.table(getattr(owner, field)(i)) for i in range(count)]

    def child(self, owner: Any, field: str) -> Any:
        """A table within a table, or None."""
        table = getattr(owner, field)()
        return None if table is None else self.table(table)

    def numbers(self, owner: Any, field: str) -> np.ndarray:
        """A vector of numbers, empty where it is absent."""
        if getattr(owner, f"{field}IsNone")():
            return np.empty(0, np.int32)
        numbers: np.ndarray = getattr(owner, f"{field}AsNumpy")()
        self._spend(numbers.nbytes)
        return numbers

    def integers(self, owner: Any, field: str) -> tuple[int, ...]:
        """A vector of integers as such."""
        return tuple(self.numbers(owner, field).tolist())

    def text(self, owner: Any, field: str) -> str:
        """A string, empty where it is absent. What is not UTF-8 is replaced."""
        raw: bytes = getattr(owner, field)() or b""
        self._spend(len(raw))
        return raw.decode("utf-8", "replace")

    def _spend(self, nbytes: int) -> None:
        self._left -= nbytes
        if self._left < 0:
            raise ModelError("damaged: its parts overlap each other")
