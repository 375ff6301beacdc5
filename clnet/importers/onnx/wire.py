"""Takes the weights out of a serialised model before it is parsed.

A parsed protobuf holds its own copy of every byte, and hands out another one on access. The weights
of a model are nearly all of its bytes, so the file is mapped instead: this module walks the few
nested fields on the way to them (``ModelProto.graph.initializer.raw_data``, or ``float_data``,
which holds the same bytes), leaves out the large ones and tells where in the file they are. What
remains is small and is parsed as usual.
Field numbers: onnx.proto3.
"""

from __future__ import annotations

from clnet.importers.protobuf import LENGTH, Field, Span, fields

GRAPH, INITIALIZER, DATA_TYPE, FLOAT_DATA, RAW_DATA = 7, 5, 2, 4, 9
#: The element type whose values stand in ``float_data``, as it is stored.
FLOAT = b"\x01"
#: Smaller tensors stay in the message.
SMALL = 1024


def take_out_weights(data: memoryview) -> tuple[bytes, dict[int, Span]]:
    """The message without large weights, and where those are, by position among initializers.

    Raises ModelError where ``data`` is not a well-formed message.
    """
    spans: dict[int, Span] = {}
    count = 0

    def without_raw(start: int, end: int) -> list[bytes]:
        nonlocal count
        parts: list[bytes] = []
        floats, taken, large = False, -1, (0, 0)
        values = 0
        for field in fields(data, start, end):
            floats |= field.number == DATA_TYPE and bytes(data[slice(*field.body)]) == FLOAT
            if field.number == RAW_DATA or (field.number == FLOAT_DATA and floats):
                values += 1
                size = field.body[1] - field.body[0]
                if field.kind == LENGTH and size >= SMALL and values == 1:
                    spans[count], taken, large = field.body, len(parts), field.extent
                    parts.append(b"")
                    continue
            parts.append(bytes(data[slice(*field.extent)]))
        if values > 1 and count in spans:  # protobuf's rules say what they are together
            del spans[count]
            parts[taken] = bytes(data[slice(*large)])
        count += 1
        return parts

    def light_graph(start: int, end: int) -> list[bytes]:
        parts = []
        for field in fields(data, start, end):
            if is_nested(field, INITIALIZER):
                parts += nested(INITIALIZER, without_raw(*field.body))
            else:
                parts.append(bytes(data[slice(*field.extent)]))
        return parts

    model = []
    for field in fields(data, 0, len(data)):
        if is_nested(field, GRAPH):
            model += nested(GRAPH, light_graph(*field.body))
        else:
            model.append(bytes(data[slice(*field.extent)]))
    return b"".join(model), spans


def is_nested(field: Field, number: int) -> bool:
    """Whether this is field ``number``, and holds bytes or a message."""
    return field.number == number and field.kind == LENGTH


def nested(number: int, parts: list[bytes]) -> list[bytes]:
    """The parts of a message as field ``number`` of the message around it."""
    return [_encoded(number << 3 | 2), _encoded(sum(map(len, parts))), *parts]


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
