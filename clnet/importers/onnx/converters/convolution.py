"""Conv, ConvTranspose, and Conv with an activation of com.microsoft."""

from __future__ import annotations

from typing import Any

from clnet.errors import ModelError
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.importers.onnx.windows import Window, halves, read_window
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.tensor_spec import TensorSpec


def window_of(node: OnnxNode, x: TensorSpec, w: TensorSpec) -> Window:
    """How weights walk over an image; a kernel_shape that is not theirs is an error."""
    if x.rank < 3 or w.rank != x.rank:
        raise ModelError(f"weights {w} do not fit the input {x}")
    kernel = w.shape[2:]
    if node.integers("kernel_shape", kernel) != kernel:
        raise ModelError(f"kernel_shape is not that of the weights {w}")
    return read_window(node, kernel, x.shape[2:])


@converter("Conv")
def convolution(node: OnnxNode) -> Any:
    window = window_of(node, node.input(0).spec, node.input(1).spec)
    op = Conv(window.strides, window.pads, window.dilations, node.integer("group", 1))
    return node.add(op, node.input(0), node.input(1), node.optional(2))


@converter("ConvTranspose")
def transposed_convolution(node: OnnxNode) -> Any:
    """``output_shape`` decides the padding; SAME means size * stride."""
    size = node.input().spec.shape[2:]
    window = window_of(node, node.input(0).spec, node.input(1).spec)
    rank = len(size)
    pads, extra = window.pads, node.integers("output_padding", (0,) * rank)
    wanted = node.integers("output_shape", ())[-rank:]
    if not wanted and window.auto_pad.startswith("SAME"):
        wanted = tuple(s * t for s, t in zip(size, window.strides, strict=True))
    if len(extra) != rank or len(wanted) not in (0, rank):
        raise ModelError(f"output_padding or output_shape do not fit {rank} spatial dimensions")
    if wanted:
        totals = [
            window.strides[i] * (size[i] - 1) + extra[i]
            + (window.kernel[i] - 1) * window.dilations[i] + 1 - wanted[i]
            for i in range(rank)
        ]  # fmt: skip
        extra = tuple(e + max(0, -t) for e, t in zip(extra, totals, strict=True))
        pads = halves([max(0, t) for t in totals], window.auto_pad)
    op = ConvTranspose(window.strides, pads, window.dilations, node.integer("group", 1), extra)
    return node.add(op, node.input(0), node.input(1), node.optional(2))
