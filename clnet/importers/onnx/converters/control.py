"""Branches whose condition is known, and loops that are unrolled since their length is."""

from __future__ import annotations

from typing import Any

from onnx import GraphProto

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.ops.concat import Concat
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice


@converter("If")
def branch(node: OnnxNode) -> Any:
    taken = "then_branch" if node.scalar(0) else "else_branch"
    outputs = node.importer.branch(node.graph(taken), node.scope)
    if len(outputs) != len(node.outputs):
        raise ModelError(f"{taken} has {len(outputs)} outputs, the node {len(node.outputs)}")
    return tuple(outputs)


@converter("Loop")
def loop(node: OnnxNode) -> Any:
    """Inputs: how often, the condition, carried values. The body gives the next condition, carried
    values, and elements of what is collected. The importer limits the nodes that this makes,
    so that a loop without an end is refused."""
    body = node.graph("body")
    trips = int(node.scalar(0)) if node.has(0) else None
    goes_on = bool(node.scalar(1)) if node.has(1) else True
    carried = [node.input(i) for i in range(2, len(node.inputs))]
    collected: list[list[Value]] = [[] for _ in body.output[1 + len(carried) :]]
    count = 0
    while goes_on and (trips is None or count < trips):
        given = [node.constant(count, "int64"), node.constant(True), *carried]
        condition, *results = _iteration(node, body, given)
        known = node.importer.known(condition, "whether a loop goes on")
        goes_on = bool(known.reshape(-1)[:1].any())
        carried = results[: len(carried)]
        for elements, value in zip(collected, results[len(carried) :], strict=True):
            elements.append(value)
        count += 1
    return (*carried, *(_stacked(node, elements, 0) for elements in collected))


@converter("Scan")
def scan(node: OnnxNode) -> Any:
    """Inputs: states, then sequences, of which the body gets an element at a time."""
    if node.opset < 9:
        raise UnsupportedError("Scan before opset 9")
    body, count = node.graph("body"), node.integer("num_scan_inputs")
    inputs = node.all_inputs()
    if not 1 <= count <= len(inputs):
        raise ModelError(f"{count} sequences among {len(inputs)} inputs")
    states, sequences = inputs[:-count], inputs[-count:]
    results = len(body.output) - len(states)
    axes = [
        normalized(axis, value.spec.rank)
        for axis, value in zip(
            node.integers("scan_input_axes", (0,) * count), sequences, strict=True
        )
    ]
    lengths = {value.spec.shape[axis] for axis, value in zip(axes, sequences, strict=True)}
    if len(lengths) > 1:
        raise ModelError(f"sequences of lengths {sorted(lengths)}")
    (length,) = lengths
    backward = node.integers("scan_input_directions", (0,) * count)
    collected: list[list[Value]] = [[] for _ in range(results)]
    for step in range(length):
        elements = [
            _element(node, value, axis, length - 1 - step if reverse else step)
            for value, axis, reverse in zip(sequences, axes, backward, strict=True)
        ]
        made = _iteration(node, body, [*states, *elements])
        states = made[: len(states)]
        for values, value in zip(collected, made[len(states) :], strict=True):
            values.append(value)
    out_axes = node.integers("scan_output_axes", (0,) * results)
    reverse = node.integers("scan_output_directions", (0,) * results)
    outputs = [
        _stacked(node, values[::-1] if back else values, axis)
        for values, axis, back in zip(collected, out_axes, reverse, strict=True)
    ]
    return (*states, *outputs)


def _iteration(node: OnnxNode, body: GraphProto, given: list[Value]) -> list[Value]:
    outputs = node.importer.branch(body, node.scope, given)
    if len(outputs) < 1 or len(body.output) != len(outputs):
        raise ModelError(f"a body of {len(body.output)} outputs")
    return outputs


def _element(node: OnnxNode, value: Value, axis: int, index: int) -> Value:
    """One of the elements along an axis, which disappears."""
    part = node.add(Slice((index,), (index + 1,), (axis,)), value)
    shape = value.spec.shape
    result: Value = node.add(Reshape((*shape[:axis], *shape[axis + 1 :])), part)
    return result


def _stacked(node: OnnxNode, values: list[Value], axis: int) -> Value:
    """Values along a new axis."""
    if not values:
        raise UnsupportedError("what a loop without iterations collects")
    shape = values[0].spec.shape
    axis = normalized(axis, len(shape) + 1)
    parts = [node.add(Reshape((*shape[:axis], 1, *shape[axis:])), v) for v in values]
    result: Value = parts[0] if len(parts) == 1 else node.add(Concat(axis), *parts)
    return result
