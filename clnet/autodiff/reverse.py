"""Reverse mode: walks a graph from its loss back to the values whose gradients are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clnet.errors import ClnetError, UnsupportedError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Op
from clnet.ops.elementwise import elementwise
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape


def gradients(build: GraphBuilder, loss: Value, wrt: Sequence[Value]) -> dict[Value, Value]:
    """Append the nodes that compute d ``loss`` / d v for every v of ``wrt``.

    ``loss`` has a single element. An op gives its part through ``Op.vjp``, where it may ignore
    broadcasting: a gradient larger than its value is summed over what was repeated. Raises
    UnsupportedError naming the node where an op on the way has no gradient, and ClnetError where
    a value does not influence the loss.
    """
    if loss.spec.size != 1:
        raise ClnetError(f"a loss has one element, {loss.name} is {loss.spec}")
    one = build.constant(np.ones(loss.spec.shape, loss.spec.dtype))
    result = _pulled_back(build, list(build.graph.nodes), {loss: one}, wrt)
    for value in wrt:
        if value not in result:
            raise ClnetError(f"{loss.name} does not depend on {value.name}")
    return result


def _pulled_back(
    build: GraphBuilder, nodes: Sequence[Node], ends: Mapping[Value, Value], wrt: Sequence[Value]
) -> dict[Value, Value]:
    """The gradients of those of ``wrt`` on which ``ends`` depend through ``nodes``, from the
    gradients of ``ends``."""
    needed = _influenced(nodes, wrt)
    parts = {value: [grad] for value, grad in ends.items()}
    for node in reversed(nodes):
        if not any(v in needed and v in parts for v in node.outputs):
            continue
        grads = tuple(_total(build, parts, v) for v in node.outputs)
        for value, grad in zip(node.inputs, _vjp(build, node, grads), strict=False):
            if value is not None and grad is not None and value in needed:
                parts.setdefault(value, []).append(_sum_to(build, grad, value.spec.shape))
    totals = {v: _total(build, parts, v) for v in wrt}
    return {v: g for v, g in totals.items() if g is not None}


def _influenced(nodes: Sequence[Node], wrt: Sequence[Value]) -> set[Value]:
    """``wrt`` and all that is computed from it."""
    reached = set(wrt)
    for node in nodes:
        if any(v in reached for v in node.inputs):
            reached.update(node.outputs)
    return reached


def _vjp(
    build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
) -> tuple[Value | None, ...]:
    written_out = type(node.op).expand is not Op.expand
    try:
        result = (_through_expansion if written_out else node.op.vjp)(build, node, grads)
    except NotImplementedError:
        raise UnsupportedError(f"{node.op.label} has no gradient", node=node.name) from None
    return tuple(result)


def _through_expansion(
    build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
) -> tuple[Value | None, ...]:
    """The gradients of the inputs of a node whose op is written out in others."""
    first = len(build.graph.nodes)
    outputs = node.op.expand(build, *node.inputs)
    ends = {o: g for o, g in zip(outputs, grads, strict=True) if o is not None and g is not None}
    wrt = list(dict.fromkeys(v for v in node.inputs if v is not None and v.spec.is_float))
    found = _pulled_back(build, build.graph.nodes[first:], ends, wrt)
    return tuple(v and found.pop(v, None) for v in node.inputs)  # a value read twice: once


def _total(build: GraphBuilder, parts: dict[Value, list[Value]], value: Value) -> Value | None:
    """The sum of a value's gradients from all its readers."""
    if value not in parts:
        return None
    total, *others = parts[value]
    for part in others:
        total = build.add(elementwise("Add"), total, part)
    parts[value] = [total]
    return total


def _sum_to(build: GraphBuilder, grad: Value, shape: tuple[int, ...]) -> Value:
    """``grad`` summed over the axes along which a tensor of ``shape`` was broadcast."""
    if grad.spec.shape == shape:
        return grad
    padded = (1,) * (grad.spec.rank - len(shape)) + shape
    axes = tuple(i for i, d in enumerate(padded) if d == 1 and grad.spec.shape[i] != 1)
    if axes:
        grad = build.add(Reduce("Sum", axes, keepdims=True), grad)
    return grad if grad.spec.shape == shape else build.add(Reshape(shape), grad)
