"""Softmax over flattened axes, and batch normalisation that trains."""

from __future__ import annotations

import math
from typing import Any

from clnet.errors import UnsupportedError
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.elementwise import elementwise
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
