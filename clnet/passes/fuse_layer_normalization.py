"""Makes one node of a layer normalisation that a model spells out, as exports before opset 17."""

from __future__ import annotations

import numpy as np

from clnet.graph import Graph, Node, Value
from clnet.ops.elementwise import Elementwise
from clnet.ops.layer_normalization import LayerNormalization
from clnet.ops.reduce import Reduce


def fuse_layer_normalization(graph: Graph) -> None:
    """(x - mean) / sqrt(mean of its square + epsilon) over the last axes, times constants and plus
    constants where they follow, becomes a LayerNormalization in place of the last of these."""
    makers, readers = graph.producers(), graph.consumers()
    outputs = set(graph.outputs.values())
    for node in list(graph.nodes):
        found = _normalization(node, makers)
        if found is None:
            continue
        x, axis, epsilon, inner = found
        if not all(set(readers[n.output]) <= {*inner, node} for n in inner):
            continue
        if outputs.intersection(n.output for n in inner):
            continue
        shape, last = x.spec.shape[axis:], node
        scale, bias = Value(f"{node.name}:scale", x.spec.with_shape(shape)), None
        scale.data = np.ones(shape, x.spec.dtype)
        for function in ("Mul", "Add"):
            following = readers.get(last.output, [])
            if len(following) != 1 or last.output in outputs:
                break
            constant = _operand(following[0], function, last.output, shape)
            if constant is not None:
                inner.append(last)
                last = following[0]
                scale, bias = (constant, None) if function == "Mul" else (scale, constant)
        last.op, last.inputs = LayerNormalization(axis, epsilon), [x, scale, bias]
        graph.remove(inner)


Makers = dict[Value, Node]


def _normalization(divide: Node, makers: Makers) -> tuple[Value, int, float, list[Node]] | None:
    """What the division at its end normalises: x, the first axis, epsilon and the nodes before."""
    if not _is(divide, "Div"):
        return None
    difference, root = (makers.get(v) for v in divide.inputs if v is not None)
    if not _is(difference, "Sub") or not _is(root, "Sqrt"):
        return None
    assert difference is not None and root is not None
    raised = _maker(root.inputs[0], makers)
    if not _is(raised, "Add"):
        return None
    assert raised is not None
    variance, epsilon = (_maker(raised.inputs[0], makers), _number(raised.inputs[1]))
    x, middle = difference.inputs
    mean = _maker(middle, makers)
    if epsilon is None or x is None or not _is_mean(mean) or not _is_mean(variance):
        return None
    assert mean is not None and variance is not None
    square = _maker(variance.inputs[0], makers)
    if not _is(square, "Mul") or set(square.inputs if square else ()) != {difference.output}:
        return None
    assert square is not None
    axes, rank = mean.op.axes, x.spec.rank
    if mean.inputs != [x] or variance.op != mean.op or divide.output.spec != x.spec:
        return None
    if not axes or axes != tuple(range(rank - len(axes), rank)):
        return None
    return x, axes[0], epsilon, [difference, root, raised, variance, square, mean]


def _maker(value: Value | None, makers: Makers) -> Node | None:
    return makers.get(value) if value is not None else None


def _is(node: Node | None, function: str) -> bool:
    """Whether a node is one elementwise function."""
    if node is None or not isinstance(node.op, Elementwise):
        return False
    return [s.function for s in node.op.expression.steps] == [function]


def _is_mean(node: Node | None) -> bool:
    """Whether a node is a mean whose axes stay."""
    op = node.op if node is not None else None
    return isinstance(op, Reduce) and op.function == "Mean" and op.keepdims


def _number(value: Value | None) -> float | None:
    """The only number of a constant."""
    if value is None or not value.is_constant or value.spec.size != 1 or value.data is None:
        return None
    return float(value.data.reshape(()))


def _operand(node: Node, function: str, left: Value, shape: tuple[int, ...]) -> Value | None:
    """The constant of this shape that a node multiplies ``left`` by, or adds to it."""
    if not _is(node, function) or left not in node.inputs:
        return None
    (other,) = [v for v in node.inputs if v is not left] or [None]
    fits = other is not None and other.is_constant and other.spec.shape == shape
    return other if fits and node.output.spec == left.spec else None
