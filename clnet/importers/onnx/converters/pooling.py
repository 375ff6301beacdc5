"""Max and average pooling, and norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.importers.onnx.windows import Window, read_window
from clnet.ops.conv import Conv
from clnet.ops.elementwise import elementwise
from clnet.ops.pooling import AveragePool, MaxPool
from clnet.ops.reduce import Reduce


def _window(node: OnnxNode) -> tuple[Window, bool]:
    """The window, and whether a last, partial position counts."""
    x = node.input().spec
    if x.rank < 3:
        raise ModelError(f"the input {x} has no spatial dimensions")
    window = read_window(node, node.integers("kernel_shape"), x.shape[2:])
    return window, node.flag("ceil_mode") and window.auto_pad == "NOTSET"


@converter("MaxPool")
def max_pool(node: OnnxNode) -> Any:
    w, ceil_mode = _window(node)
    order = node.integer("storage_order", 0)
    op = MaxPool(w.kernel, w.strides, w.pads, w.dilations, ceil_mode, node.wants(1), order)
    return node.add(op, node.input())


@converter("AveragePool")
def average_pool(node: OnnxNode) -> Any:
    return node.add(average_pooling(node), node.input())


def average_pooling(node: OnnxNode) -> AveragePool:
    """The op that a node's attributes describe."""
    w, ceil_mode = _window(node)
    counted = node.flag("count_include_pad")
    return AveragePool(w.kernel, w.strides, w.pads, w.dilations, ceil_mode, counted)


@converter("LpPool")
def lp_pool(node: OnnxNode) -> Any:
    """The norm of each window: a convolution of powers with ones."""
    w, ceil_mode = _window(node)
    x = node.input()
    axes, p = len(w.kernel), node.integer("p", 2)
    ends = list(w.pads[axes:])
    if ceil_mode:  # as much more padding as the last, partial window needs
        for a in range(axes):
            covered = (w.kernel[a] - 1) * w.dilations[a] + 1
            beyond = x.spec.shape[2 + a] + w.pads[a] + ends[a] - covered
            ends[a] += -beyond % w.strides[a]
    channels = x.spec.shape[1]
    ones = node.constant(np.ones((channels, 1, *w.kernel)), x.spec.dtype)
    op = Conv(w.strides, (*w.pads[:axes], *ends), w.dilations, channels)
    return _root(node, node.add(op, _power(node, x, p), ones, None), p)


@converter("GlobalLpPool")
def global_lp_pool(node: OnnxNode) -> Any:
    x, p = node.input(), node.integer("p", 2)
    op = Reduce("Sum", tuple(range(2, x.spec.rank)))
    return _root(node, node.add(op, _power(node, x, p)), p)


def _power(node: OnnxNode, x: Value, p: int) -> Value:
    """|x| to the power p."""
    if p < 1:
        raise ModelError(f"a norm of order {p}")
    if p == 2:
        result: Value = node.add(elementwise("Mul"), x, x)
        return result
    result = node.add(elementwise("Abs"), x)
    return result if p == 1 else _to_the(node, result, p)


def _root(node: OnnxNode, x: Value, p: int) -> Value:
    """The p-th root of x."""
    if p == 1:
        return x
    result: Value = node.add(elementwise("Sqrt"), x) if p == 2 else _to_the(node, x, 1 / p)
    return result


def _to_the(node: OnnxNode, x: Value, exponent: float) -> Value:
    result: Value = node.add(elementwise("Pow"), x, node.constant(exponent, x.spec.dtype))
    return result
