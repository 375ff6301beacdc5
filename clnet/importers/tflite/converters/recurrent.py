"""Layers with a memory: what they have seen, in this run or in those before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.tflite.activation import bounds, expression
from clnet.importers.tflite.dynamic import rounded
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.quantization import is_quantized
from clnet.importers.tflite.registry import converter
from clnet.importers.tflite.tensors import dtype_of
from clnet.ops.concat import Concat
from clnet.ops.expression import Expression
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.recurrent import GATES, Recurrent
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.transpose import Transpose

_BATCH_SECOND = (1, 0, 2)


@converter("SVDF")
def filters_over_time(node: TfliteNode) -> Any:
    """Inputs: x, weights of features [filters, inputs], weights of time [filters, memory], bias,
    and the features of so many runs. Each unit is the sum of ``Rank`` filters."""
    x, features, times = (node.input(i) for i in range(3))
    rank = node.option("Rank")
    filters, memory = times.spec.shape if times.spec.rank == 2 else (0, 0)
    if x.spec.rank != 2 or memory < 1 or rank < 1 or filters % rank:
        raise ModelError(f"weights of time {times.spec} for the input {x.spec} and rank {rank}")
    if features.spec.shape != (filters, x.spec.shape[1]):
        raise ModelError(f"weights {features.spec} and {times.spec} for the input {x.spec}")
    batch = x.spec.shape[0]
    if not _is_quantized(node, 0):
        x = rounded(node, x, 1, True)
    new = node.add(Gemm(trans_b=True), x, features)
    new = _on_grid(node, node.add(Reshape((batch, filters, 1)), new), 4)
    seen = node.variable(4, (batch, filters, memory))
    later = node.add(Slice((1,), (memory,), (2,)), seen)
    all_of_them = node.add(Concat(2), later, new)
    node.keep(4, seen, all_of_them)
    weighed = node.apply("Mul", all_of_them, times)
    shape = (batch, filters // rank, rank * memory)
    y = node.add(Reduce("Sum", (2,), False), node.add(Reshape(shape), weighed))
    return node.apply("Add", y, node.input(3)) if node.has(3) else y


@converter("UNIDIRECTIONAL_SEQUENCE_RNN", activated=True)
def plain_units(node: TfliteNode) -> Any:
    """Inputs: x, weights, weights of the old units, bias, the units of the run before."""
    function = expression(node.option("FusedActivationFunction"))
    return _run(node, "RNN", (function,), [1], [2], [3], (4,))


@converter("UNIDIRECTIONAL_SEQUENCE_LSTM", activated=True)
def long_short_term_memory(node: TfliteNode) -> Any:
    """Inputs: x, weights for i, f, c and o, for the old units, three peepholes, four biases, a
    projection and its bias, units and memory of the run before, four normalisations."""
    if node.has(16) or any(node.has(i) for i in range(20, 24)):
        raise UnsupportedError("an LSTM with a projection or layer normalisation")
    if node.option("CellClip", 0.0) or node.option("ProjClip", 0.0):
        raise UnsupportedError("an LSTM that clips its memory")
    if not node.has(1):
        raise UnsupportedError("an LSTM whose gates are coupled")
    function = expression(node.option("FusedActivationFunction"))
    activations = (Expression.of("Sigmoid"), function, function)
    own, old, biases = (1, 4, 2, 3), (5, 8, 6, 7), (12, 15, 13, 14)  # clnet's order is i o f c
    peepholes = (9, 11, 10) if node.has(10) else ()
    return _run(node, "LSTM", activations, own, old, biases, (18, 19), peepholes)


def _run(
    node: TfliteNode,
    cell: str,
    activations: tuple[Expression, ...],
    own: Sequence[int],
    old: Sequence[int],
    biases: Sequence[int],
    states: Sequence[int],
    peepholes: Sequence[int] = (),
) -> Value:
    """A layer whose weights, weights of old units, biases and variables are these inputs."""
    if _is_quantized(node, 0):
        raise UnsupportedError(f"a quantised {cell}")
    x, time_major = node.input(0), bool(node.option("TimeMajor", False))
    if x.spec.rank != 3:
        raise ModelError(f"input {x.spec} is no list of sequences")
    if not time_major:
        x = node.transposed(x, _BATCH_SECOND)
    steps, batch, size = x.spec.shape
    count, units = GATES[cell], node.input(own[-1]).spec.shape[0]
    inward = [_matrix(node, i, units, size) for i in own]
    product = node.add(MatMul(), x, node.transposed(node.add(Concat(0), *inward), (1, 0)))
    if node.has(biases[-1]):
        bias = node.add(Concat(0), *(node.input(i) for i in biases))
        product = node.apply("Add", product, bias)
    gates = node.add(Reshape((steps, batch, 1, count, units)), product)
    apart = [node.add(Reshape((1, 1, units, units)), _matrix(node, i, units, units)) for i in old]
    weights = node.add(Transpose((0, 3, 1, 2)), node.add(Concat(1), *apart))
    before = [node.variable(i, (1, batch, units)) for i in states]
    seen = None
    if peepholes:
        seen = node.add(Concat(0), *(node.input(i) for i in peepholes))
        seen = node.add(Reshape((1, 3, units)), seen)
    memory = before[1] if len(before) > 1 else None
    op = Recurrent(cell, (False,), activations)
    y, *after = node.add(op, gates, weights, before[0], memory, seen, None, None)
    for i, state, value in zip(states, before, after, strict=True):
        node.keep(i, state, value)
    y = node.add(Reshape((steps, batch, units)), y)
    return y if time_major else node.transposed(y, _BATCH_SECOND)


def _is_quantized(node: TfliteNode, index: int) -> bool:
    return is_quantized(node.importer.model.tensors[node.operator.inputs[index]])


def _on_grid(node: TfliteNode, value: Value, index: int) -> Value:
    """Real numbers as input ``index`` can hold them: where it is quantised, only some."""
    tensor = node.importer.model.tensors[node.operator.inputs[index]]
    if not is_quantized(tensor):
        return value
    assert tensor.quantization is not None
    low, high = bounds(tensor.quantization, dtype_of(tensor.type), 0)
    step = node.constant(tensor.quantization.scale, "float32")
    codes = node.apply("Round", node.apply("Div", value, step))
    result: Value = node.apply("Mul", node.apply("Clip", codes, min=low, max=high), step)
    return result


def _matrix(node: TfliteNode, index: int, rows: int, columns: int) -> Value:
    value = node.input(index)
    if value.spec.shape != (rows, columns):
        raise ModelError(f"weights {value.spec} instead of [{rows}, {columns}]")
    return value
