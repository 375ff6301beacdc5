"""Convolutions and pools."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.max_unpool import MaxUnpool
from clnet.ops.pooling import AveragePool, MaxPool


@spelling(Conv, ConvTranspose)
def conv(write: NodeWriter) -> str:
    op = write.op
    attributes = {"kernel_shape": write.spec(1).shape[2:], "group": op.groups, **_steps(op)}
    if isinstance(op, ConvTranspose) and op.output_padding:
        attributes["output_padding"] = op.output_padding
    return write.add(type(op).__name__, *write.inputs, **attributes)


@spelling(MaxPool)
def max_pool(write: NodeWriter) -> str | tuple[str, ...]:
    op = write.op
    attributes = {"kernel_shape": op.kernel, "ceil_mode": op.ceil_mode, **_steps(op)}
    if not op.indices:
        return write.add("MaxPool", *write.inputs, **attributes)
    attributes["storage_order"] = op.storage_order
    return write.add_several(2, "MaxPool", *write.inputs, **attributes)


@spelling(AveragePool)
def average_pool(write: NodeWriter) -> str:
    op = write.op
    attributes = {"kernel_shape": op.kernel, "ceil_mode": op.ceil_mode, **_steps(op)}
    if set(op.dilations) == {1}:
        del attributes["dilations"]
    else:
        write.require(19)
    return write.add(
        "AveragePool", *write.inputs, count_include_pad=op.count_include_pad, **attributes
    )


@spelling(MaxUnpool)
def max_unpool(write: NodeWriter) -> str:
    """A scatter into maps of zeros. Each has one element more, for positions outside of it."""
    n, c, h, w = write.node.output.spec.shape
    x, positions = (
        write.add("Reshape", name, write.constant([n * c, -1])) for name in write.inputs
    )
    size, zero = write.constant(h * w), write.constant(0)
    outside = write.add(
        "Or", write.add("Less", positions, zero), write.add("GreaterOrEqual", positions, size)
    )
    positions = write.add("Where", outside, size, positions)
    empty = write.constant(np.zeros((n * c, h * w + 1)), write.spec().dtype)
    filled = write.add("ScatterElements", empty, positions, x, axis=1)
    maps = write.add(
        "Slice", filled, write.constant([0]), write.constant([h * w]), write.constant([1])
    )
    return write.add("Reshape", maps, write.constant([n, c, h, w]))


def _steps(op: Any) -> dict[str, Any]:
    return {"strides": op.strides, "pads": op.pads, "dilations": op.dilations}
