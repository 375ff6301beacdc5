"""RNN, GRU and LSTM: the product of all steps' inputs at once, and the steps behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.cast import Cast
from clnet.ops.elementwise import elementwise
from clnet.ops.expression import Expression
from clnet.ops.gemm import MatMul
from clnet.ops.recurrent import GATES, Recurrent
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.transpose import Transpose

#: Activations and which of alpha and beta they read, with defaults.
_ACTIVATIONS: dict[str, dict[str, float]] = {
    "Relu": {}, "Tanh": {}, "Sigmoid": {}, "Softsign": {}, "Softplus": {},
    "Affine": {"alpha": 1.0, "beta": 0.0}, "LeakyRelu": {"alpha": 0.01},
    "ThresholdedRelu": {"alpha": 1.0}, "ScaledTanh": {"alpha": 1.0, "beta": 1.0},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5}, "Elu": {"alpha": 1.0},
}  # fmt: skip
_DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
_REVERSE = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
_BATCH_SECOND = (1, 0, 2)


@converter("RNN", "GRU", "LSTM")
def recurrent(node: OnnxNode) -> Any:
    """Inputs: x, weights, weights of the old units, biases, lengths, state, memory, peepholes."""
    cell, batch_first = node.op_type, node.flag("layout")
    reverse = _REVERSE[node.text("direction", *_REVERSE)]

    def batch_second(index: int) -> Value | None:
        value = node.optional(index)
        return node.add(Transpose(_BATCH_SECOND), value) if batch_first and value else value

    x = batch_second(0)
    w, r = node.input(1), node.input(2)
    count, directions = GATES[cell], len(reverse)
    if x is None or x.spec.rank != 3 or w.spec.rank != 3 or r.spec.rank != 3:
        raise ModelError("x, W and R must have three dimensions")
    steps, batch, size = x.spec.shape
    units = r.spec.shape[2]
    if w.spec.shape != (directions, count * units, size) or r.spec.shape != (
        directions, count * units, units
    ):  # fmt: skip
        raise ModelError(f"weights {w.spec} and {r.spec} do not fit {x.spec}")
    if node.integer("hidden_size", units) != units:
        raise ModelError(f"hidden_size is not that of the weights {r.spec}")
    after = cell == "GRU" and node.flag("linear_before_reset")
    bias, inner = _biases(node, count, units, after)
    columns = node.add(Transpose((2, 0, 1)), w)
    matrix = node.add(Reshape((size, directions * count * units)), columns)
    product = node.add(MatMul(), x, matrix)
    if bias is not None:
        product = node.add(elementwise("Add"), product, bias)
    gates = node.add(Reshape((steps, batch, directions, count, units)), product)
    apart = node.add(Reshape((directions, count, units, units)), r)
    weights = node.add(Transpose((0, 3, 1, 2)), apart)
    op = Recurrent(
        cell,
        reverse,
        _activations(node, directions),
        node.real("clip") if node.has_attribute("clip") else None,
        after,
        cell == "LSTM" and node.flag("input_forget"),
    )
    memory, peepholes = None, None
    if cell == "LSTM":
        memory, peepholes = batch_second(6), node.optional(7)
        if peepholes is not None:
            peepholes = node.add(Reshape((directions, 3, units)), peepholes)
    lengths = node.optional(4)
    if lengths is not None and lengths.spec.dtype != "int32":
        lengths = node.add(Cast("int32"), lengths)
    y, *last = node.add(op, gates, weights, batch_second(5), memory, peepholes, inner, lengths)
    if batch_first:
        y = node.add(Transpose((2, 0, 1, 3)), y)
        last = [node.add(Transpose(_BATCH_SECOND), state) for state in last]
    return (y, *last)


def _biases(
    node: OnnxNode, count: int, units: int, after: bool
) -> tuple[Value | None, Value | None]:
    """What is added to the product of all directions, and what a GRU adds before it resets: inputs
    and old units have a bias each, which otherwise only matter in sum."""
    given = node.optional(3)
    if given is None:
        return None, None
    if given.spec.rank != 2 or given.spec.shape[1] != 2 * count * units:
        raise ModelError(f"biases {given.spec} for {count} gates of {units} units")
    size = count * units
    first, second = (node.add(Slice((start,), (start + size,), (1,)), given) for start in (0, size))
    inner = None
    if after:
        inner = node.add(Slice((2 * units,), (size,), (1,)), second)
        others = node.constant(np.arange(size) < 2 * units, second.spec.dtype)
        second = node.add(elementwise("Mul"), second, others)
    total = node.add(elementwise("Add"), first, second)
    return node.add(Reshape((given.spec.shape[0] * size,)), total), inner


def _activations(node: OnnxNode, directions: int) -> tuple[Expression, ...]:
    """The activations of one direction; those of the other must be the same."""
    defaults = _DEFAULTS[node.op_type]
    names = node.texts("activations", defaults * directions)
    if len(names) != len(defaults) * directions:
        raise ModelError(f"{len(names)} activations for {directions} directions")
    given = {p: list(node.reals(f"activation_{p}", ())) for p in ("alpha", "beta")}
    found = []
    for name in names:
        if name not in _ACTIVATIONS:
            raise UnsupportedError(f"the activation {name[:40]!r}")
        params = {
            p: given[p].pop(0) if given[p] else default for p, default in _ACTIVATIONS[name].items()
        }
        if name == "ScaledTanh":
            inside, outside = (Expression.of("Scale", factor=params[p]) for p in ("beta", "alpha"))
            found.append(inside.then(Expression.of("Tanh"), 0).then(outside, 0))
        else:
            found.append(Expression.of(name, **params))
    one = tuple(found[: len(defaults)])
    if any(tuple(found[i : i + len(one)]) != one for i in range(0, len(found), len(one))):
        raise UnsupportedError("activations that differ between directions")
    return one
