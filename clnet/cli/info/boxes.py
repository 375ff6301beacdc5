"""A graph as people draw it: boxes that hold an op with what belongs to it, and arrows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from clnet.cli.info.description import details, multiply_adds, parameters
from clnet.graph import Graph, Node, Value
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.concat import Concat
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.elementwise import Elementwise
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.instance_normalization import InstanceNormalization
from clnet.ops.lrn import LRN
from clnet.ops.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from clnet.ops.resize import Resize
from clnet.ops.softmax import LogSoftmax, Softmax

#: Ops by the colour of their box; whatever is not listed only rearranges, as far as a picture goes.
KINDS: dict[str, tuple[type, ...]] = {
    "convolution": (Conv, ConvTranspose),
    "matrix product": (Gemm, MatMul),
    "pooling, resizing": (MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, Resize),
    "normalisation": (BatchNormalization, InstanceNormalization, LRN, Softmax, LogSoftmax),
}
INPUT, OUTPUT, ELEMENTWISE, JOIN, OTHER = (
    "input", "output", "elementwise", "joining", "other"
)  # fmt: skip


@dataclass(eq=False)
class Box:
    """One box: a title, the functions applied to its result on the spot, and figures."""

    kind: str
    title: str
    shape: tuple[int, ...]
    names: list[str] = field(default_factory=list)
    then: list[str] = field(default_factory=list)
    parameters: int = 0
    macs: int = 0


@dataclass
class Diagram:
    """Boxes in execution order, and arrows between them by position: (from, to), each once."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[tuple[int, int]] = field(default_factory=list)


def diagram(graph: Graph) -> Diagram:
    """The boxes of a graph."""
    result = Diagram()
    consumers = graph.consumers()
    outputs = set(graph.outputs.values())
    home: dict[Value, int] = {}  # the box that gives a value

    def place(box: Box, *values: Value) -> int:
        result.boxes.append(box)
        home.update(dict.fromkeys(values, len(result.boxes) - 1))
        return len(result.boxes) - 1

    for value in graph.inputs:
        place(Box(INPUT, value.name, value.spec.shape), value)
    for node in graph.nodes:
        given = [v for v in node.inputs if v in home]
        sources = list(dict.fromkeys(home[v] for v in given if v is not None))
        joins = len(sources) == 1 and result.boxes[sources[0]].kind != INPUT and _follows(node)
        if joins and all(_read_once(v, consumers, outputs) for v in given):
            box, number = result.boxes[sources[0]], sources[0]
            box.then.append(_function(node))
            home.update(dict.fromkeys(node.outputs, number))
        else:
            title = " ".join(filter(None, (node.op.label, details(node))))
            box = Box(_kind(node), title, ())
            number = place(box, *node.outputs)
            result.arrows += [(source, number) for source in sources]
        box.shape = node.output.spec.shape
        box.names.append(node.name)
        box.parameters += parameters(node)
        box.macs += multiply_adds(node)
    for name, value in graph.outputs.items():
        source = home.get(value)
        number = place(Box(OUTPUT, name, value.spec.shape))
        if source is not None:
            result.arrows.append((source, number))
    return result


def _read_once(
    value: Value | None, consumers: dict[Value, list[Node]], outputs: set[Value]
) -> bool:
    return value is not None and len(consumers[value]) == 1 and value not in outputs


def _follows(node: Node) -> bool:
    """Whether people think of it as a part of what is in front of it."""
    return isinstance(node.op, Elementwise | BatchNormalization | InstanceNormalization)


def _function(node: Node) -> str:
    return str(node.op.label).replace("Normalization", "Norm")


def _kind(node: Node) -> str:
    for kind, ops in KINDS.items():
        if isinstance(node.op, ops):
            return kind
    if isinstance(node.op, Concat):
        return JOIN
    if isinstance(node.op, Elementwise):
        given = [v for v in node.inputs if v is not None and not v.is_constant]
        return JOIN if len(given) > 1 else ELEMENTWISE
    return OTHER


def legend(drawn: Diagram) -> list[str]:
    """The kinds that occur, the frequent ones first."""
    return [kind for kind, _ in Counter(box.kind for box in drawn.boxes).most_common()]
