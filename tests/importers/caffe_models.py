"""Small Caffe models made here, for tests: a prototxt, and a caffemodel written field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from evaluate import evaluate

from clnet.graph import Graph
from clnet.importers.caffe.importer import build_net
from clnet.importers.caffe.text import parse_text

Blobs = Mapping[str, Sequence[np.ndarray]]


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    """A field that holds a whole number."""
    return varint(field << 3) + varint(value)


def nested(field: int, body: bytes) -> bytes:
    """A field that holds bytes, a text or a message."""
    return varint(field << 3 | 2) + varint(len(body)) + body


def blob(array: np.ndarray) -> bytes:
    """A BlobProto of today: its shape, and floats packed."""
    dims = b"".join(map(varint, array.shape))
    return nested(7, nested(1, dims)) + nested(5, array.astype("<f4").tobytes())


def caffemodel(blobs: Blobs) -> bytes:
    """A NetParameter with one layer for each name."""
    return b"".join(
        nested(100, nested(1, name.encode()) + b"".join(nested(7, blob(np.asarray(a))) for a in of))
        for name, of in blobs.items()
    )


def write_model(folder: Path, text: str, model: bytes) -> Path:
    """Both files; returns the prototxt."""
    (folder / "net.caffemodel").write_bytes(model)
    (folder / "net.prototxt").write_text(text)
    return folder / "net.prototxt"


class GivenWeights:
    """Weights out of memory, by layer name; their shapes must be those that are asked for."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    def blob(self, layer: str, index: int, shape: Sequence[int]) -> np.ndarray:
        """A layer's blob."""
        found = np.asarray(self.blobs[layer][index], np.float32)
        assert found.shape == tuple(shape), f"{found.shape} for {shape}"
        return found


def inputs_text(inputs: Mapping[str, Sequence[int]]) -> str:
    """The declarations of a net's inputs."""
    return "".join(
        f'input: "{name}" input_shape {{ {" ".join(f"dim: {d}" for d in shape)} }}\n'
        for name, shape in inputs.items()
    )


def layer_text(kind: str, bottoms: Sequence[str], tops: Sequence[str], rest: str = "") -> str:
    """One layer, named l."""
    ends = " ".join([*(f'bottom: "{b}"' for b in bottoms), *(f'top: "{t}"' for t in tops)])
    return f'layer {{ name: "l" type: "{kind}" {ends} {rest} }}\n'


def build(text: str, blobs: Blobs | None = None) -> Graph:
    """The graph of a prototxt."""
    return build_net(parse_text(text), GivenWeights(blobs or {}))


def run_layer(
    kind: str,
    rest: str,
    arrays: Sequence[np.ndarray],
    blobs: Sequence[np.ndarray] = (),
    tops: Sequence[str] = ("y",),
) -> list[np.ndarray]:
    """What one layer makes of arrays, by the references of clnet's ops."""
    feeds = {f"x{i}": np.asarray(a, np.float32) for i, a in enumerate(arrays)}
    text = inputs_text({n: a.shape for n, a in feeds.items()})
    graph = build(text + layer_text(kind, list(feeds), tops, rest), {"l": blobs})
    outputs = evaluate(graph, feeds)
    assert [v.spec.shape for v in graph.outputs.values()] == [outputs[t].shape for t in tops]
    return [outputs[top] for top in tops]
