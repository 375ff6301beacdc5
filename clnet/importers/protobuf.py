"""Walks the fields of a serialised protobuf message where it stands, without parsing it.

A parsed message holds its own copy of every byte; weights are better read in place. Encoding:
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from clnet.errors import ModelError

Span = tuple[int, int]  # first byte, byte behind the last

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_DAMAGED = "the file is damaged or ends early"


class Field(NamedTuple):
    """A field's number, wire type, whole extent, and content (of LENGTH: without the length)."""

    number: int
    kind: int
    extent: Span
    body: Span


def fields(data: memoryview, start: int, end: int) -> Iterator[Field]:
    """Each field of the message at ``start:end``. Raises ModelError where it is not well-formed."""
    position = start
    while position < end:
        key, body = varint(data, position, end)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            _, after = varint(data, body, end)
        elif kind == LENGTH:
            length, body = varint(data, body, end)
            after = body + length
        elif kind in (FIXED64, FIXED32):
            after = body + (8 if kind == FIXED64 else 4)
        else:
            raise ModelError("not such a model, or damaged")
        if after > end or number == 0:
            raise ModelError(_DAMAGED)
        yield Field(number, kind, (position, after), (body, after))
        position = after


def varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    """The number that stands at ``position``, and where it ends."""
    value = 0
    for i in range(10):
        if position + i >= end:
            break
        byte = data[position + i]
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, position + i + 1
    raise ModelError(_DAMAGED)
