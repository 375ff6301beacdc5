"""Pools. What lies in the padding never counts."""

from __future__ import annotations

from typing import Any

from clnet.graph import Value
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import converter
from clnet.importers.tflite.windows import Window, read_window
from clnet.ops.pooling import AveragePool, MaxPool


def _window(node: TfliteNode) -> Window:
    kernel = node.option("FilterHeight"), node.option("FilterWidth")
    return read_window(node, kernel, node.image().spec.shape[1:3])


def _average(node: TfliteNode, x: Value) -> Value:
    window = _window(node)
    op = AveragePool(window.kernel, window.strides, window.pads, window.dilations)
    result: Value = node.add(op, node.nchw(x))
    return node.nhwc(result)


@converter("AVERAGE_POOL_2D", linear=(0,))
def average_pool(node: TfliteNode) -> Any:
    return _average(node, node.image())


@converter("MAX_POOL_2D", linear=(0,), exact=True)
def max_pool(node: TfliteNode) -> Any:
    window = _window(node)
    op = MaxPool(window.kernel, window.strides, window.pads, window.dilations)
    return node.nhwc(node.add(op, node.nchw(node.image())))


@converter("L2_POOL_2D", linear=(0,))
def root_mean_square_pool(node: TfliteNode) -> Any:
    x = node.image()
    return node.apply("Sqrt", _average(node, node.apply("Mul", x, x)))
