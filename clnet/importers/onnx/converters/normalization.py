"""Softmax over flattened axes, and normalisations by all kinds of statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.elementwise import elementwise
from clnet.ops.expand import Expand
from clnet.ops.instance_normalization import InstanceNormalization
from clnet.ops.layer_normalization import LayerNormalization
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.softmax import LogSoftmax, Softmax


@converter("Softmax", "LogSoftmax")
def softmax(node: OnnxNode) -> Any:
    """Before opset 13 the axes from ``axis`` on are one: the input is a matrix."""
    x = node.input()
    op = Softmax if node.op_type == "Softmax" else LogSoftmax
    if node.opset >= 13:
        return node.add(op(node.axis("axis", -1, x.spec.rank)), x)
    axis = node.axis("axis", 1, x.spec.rank)
    if axis == x.spec.rank - 1:
        return node.add(op(axis), x)
    shape = x.spec.shape
    matrix = node.add(Reshape((math.prod(shape[:axis]), math.prod(shape[axis:]))), x)
    return node.add(Reshape(shape), node.add(op(1), matrix))


@converter("BatchNormalization")
def batch_normalization(node: OnnxNode) -> Any:
    epsilon = node.real("epsilon", 1e-5)
    if not node.flag("spatial", True):
        raise UnsupportedError("statistics for each position (spatial=0)")
    if node.flag("training_mode"):
        return _with_own_statistics(node, epsilon)
    return node.add(BatchNormalization(epsilon), *(node.input(i) for i in range(5)))


def _with_own_statistics(node: OnnxNode, epsilon: float) -> Any:
    """Normalise with the batch's mean and variance; also gives the running ones, moved on."""
    x, scale, bias = (node.input(i) for i in range(3))
    axes = tuple(a for a in range(x.spec.rank) if a != 1)
    spread = (-1, *(1 for _ in axes[1:]))

    def mean_of(value: Any) -> Any:
        return node.add(Reduce("Mean", axes, False), value)

    mean = mean_of(x)
    column = (x.spec.shape[1] if d == -1 else d for d in spread)
    centred = node.add(elementwise("Sub"), x, node.add(Reshape(tuple(column)), mean))
    variance = mean_of(node.add(elementwise("Mul"), centred, centred))
    normalised = node.add(BatchNormalization(epsilon), x, scale, bias, mean, variance)
    momentum = node.real("momentum", 0.9)

    def moved(running: Any, new: Any) -> Any:
        kept = node.add(elementwise("Mul"), running, node.constant(momentum, running.spec.dtype))
        gained = node.add(elementwise("Mul"), new, node.constant(1 - momentum, new.spec.dtype))
        return node.add(elementwise("Add"), kept, gained)

    return normalised, moved(node.input(3), mean), moved(node.input(4), variance)


@converter("LayerNormalization", "RMSNormalization")
def layer_normalization(node: OnnxNode) -> Any:
    """Also gives the mean and the inverse deviation, if asked."""
    x, epsilon = node.input(), node.real("epsilon", 1e-5)
    axis = node.axis("axis", -1, x.spec.rank)
    shape = x.spec.shape[axis:]

    def whole(value: Value | None) -> Value | None:
        return value if value is None or value.spec.shape == shape else (
            node.add(Expand(shape), value)
        )  # fmt: skip

    centred = node.op_type == "LayerNormalization"
    scale, bias = whole(node.input(1)), whole(node.optional(2) if centred else None)
    y = node.add(LayerNormalization(axis, epsilon, centred), x, scale, bias)
    if not (node.wants(1) or node.wants(2)):
        return y
    axes = tuple(range(axis, x.spec.rank))
    mean = node.add(Reduce("Mean", axes), x)
    apart = node.add(elementwise("Sub"), x, mean)
    variance = node.add(Reduce("Mean", axes), node.add(elementwise("Mul"), apart, apart))
    raised = node.add(elementwise("Add"), variance, node.constant(epsilon, x.spec.dtype))
    return y, mean, node.add(elementwise("Reciprocal"), node.add(elementwise("Sqrt"), raised))


@converter("GroupNormalization")
def group_normalization(node: OnnxNode) -> Any:
    """Groups of channels are normalised as one, by scales for each group before opset 21, then for
    each channel."""
    x, scale, bias = (node.input(i) for i in range(3))
    groups = node.integer("num_groups")
    batch, channels, *size = x.spec.shape
    if x.spec.rank < 3 or groups < 1 or channels % groups:
        raise ModelError(f"{groups} groups of channels of {x.spec}")
    ones, zeros = (node.constant(np.full(groups, n), x.spec.dtype) for n in (1, 0))
    apart = node.add(Reshape((batch, groups, channels // groups * math.prod(size))), x)
    op = InstanceNormalization(node.real("epsilon", 1e-5))
    y = node.add(Reshape(x.spec.shape), node.add(op, apart, ones, zeros))
    for function, value in (("Mul", scale), ("Add", bias)):
        if value.spec.shape not in ((channels,), (groups,)):
            raise ModelError(f"{value.spec} for {channels} channels in {groups} groups")
        count = value.spec.size
        column = node.add(Reshape((count, 1)), value)
        each = node.add(Expand((count, channels // count)), column)
        y = node.add(
            elementwise(function), y, node.add(Reshape((channels, *(1,) * len(size))), each)
        )
    return y


@converter("LpNormalization")
def lp_normalization(node: OnnxNode) -> Any:
    """Divides by the norm along an axis; zeros stay."""
    x = node.input()
    norm = node.add(Reduce(_norm(node), (node.axis("axis", -1, x.spec.rank),)), x)
    zero, one = (node.constant(n, x.spec.dtype) for n in (0, 1))
    is_zero = node.add(elementwise("Equal"), norm, zero)
    return node.add(elementwise("Div"), x, node.add(elementwise("Where"), is_zero, one, norm))


def _norm(node: OnnxNode) -> str:
    p = node.integer("p", 2)
    if p not in (1, 2):
        raise UnsupportedError(f"a norm of order {p}")
    return f"L{p}"
