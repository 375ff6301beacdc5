"""Takes the weights out of a serialised model before it is parsed.

A parsed protobuf holds its own copy of every byte, and hands out another one on access. The weights
of a model are nearly all of its bytes, so the file is mapped instead: this module walks the few
nested fields on the way to them (``ModelProto.graph.initializer.raw_data``), leaves out the large
ones and tells where in the file they are. What remains is small and is parsed as usual.
Field numbers: onnx.proto3; encoding: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

from clnet.errors import ModelError

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
#: Smaller tensors stay in the message.
SMALL = 1024

Span = tuple[int, int]  # first byte, byte behind the last


def take_out_weights(data: memoryview) -> tuple[bytes, dict[int, Span]]:
    """The message without large weights, and where those are, by position among initializers.

    Raises ModelError where ``data`` is not a well-formed message.
    """
    spans: dict[int, Span] = {}
    count = 0

    def without_raw(start: int, end: int) -> list[bytes]:
        nonlocal count
        parts = []
        for number, field, body in fields(data, start, end):
            if number == RAW_DATA and body[1] - body[0] >= SMALL:
                spans[count] = body
            else:
                parts.append(bytes(data[field[0] : field[1]]))
        count += 1
        return parts

    def light_graph(start: int, end: int) -> list[bytes]:
        parts = []
        for number, field, body in fields(data, start, end):
            if number == INITIALIZER:
                parts += nested(INITIALIZER, without_raw(*body))
            else:
                parts.append(bytes(data[field[0] : field[1]]))
        return parts

    model = []
    for number, field, body in fields(data, 0, len(data)):
        if number == GRAPH:
            model += nested(GRAPH, light_graph(*body))
        else:
            model.append(bytes(data[field[0] : field[1]]))
    return b"".join(model), spans


def fields(data: memoryview, start: int, end: int) -> Iterator[tuple[int, Span, Span]]:
    """Number, whole extent and content of each field of the message at ``start:end``."""
    position = start
    while position < end:
        key, body = _varint(data, position, end)
        number, kind = key >> 3, key & 7
        if kind == 0:
            _, after = _varint(data, body, end)
        elif kind == 2:
            length, body = _varint(data, body, end)
            after = body + length
        elif kind in (1, 5):
            after = body + (8 if kind == 1 else 4)
        else:
            raise ModelError("not an ONNX model, or damaged")
        if after > end or number == 0:
            raise ModelError("the file is damaged or ends early")
        yield (number if kind == 2 else -1), (position, after), (body, after)
        position = after


def nested(number: int, parts: list[bytes]) -> list[bytes]:
    """The parts of a message as field ``number`` of the message around it."""
    return [_encoded(number << 3 | 2), _encoded(sum(map(len, parts))), *parts]


def _varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    value = 0
    for i in range(10):
        if position + i >= end:
            break
        byte = data[position + i]
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, position + i + 1
    raise ModelError("the file is damaged or ends early")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
