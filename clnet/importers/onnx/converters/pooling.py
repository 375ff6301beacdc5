"""Max and average pooling."""

from __future__ import annotations

from typing import Any

from clnet.errors import ModelError
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.importers.onnx.windows import Window, read_window
from clnet.ops.pooling import AveragePool, MaxPool


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
    w, ceil_mode = _window(node)
    counted = node.flag("count_include_pad")
    op = AveragePool(w.kernel, w.strides, w.pads, w.dilations, ceil_mode, counted)
    return node.add(op, node.input())
