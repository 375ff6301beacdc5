"""Pooling: maxpool, local_avgpool, avgpool."""

from __future__ import annotations

import numpy as np

from clnet.errors import ShapeError, UnsupportedError
from clnet.graph import Value
from clnet.importers.darknet.layer import Layer
from clnet.importers.darknet.registry import converter
from clnet.ops.conv import Conv
from clnet.ops.pooling import AveragePool, GlobalAveragePool, MaxPool
from clnet.ops.reduce import Reduce

#: The one-dimensional kernels of antialiasing=1 and 2, and their padding.
_BLURS = {1: ((0.25, 0.5, 0.25), 1), 2: ((0.5, 0.5), 0)}


def blurred(layer: Layer, x: Value, strides: tuple[int, int], kind: int) -> Value:
    """What ``antialiasing`` puts behind a layer of stride 1: a fixed blur, which strides."""
    taps, pad = _BLURS.get(kind, _BLURS[1])
    channels = x.spec.shape[1]
    kernel = np.broadcast_to(np.outer(taps, taps), (channels, 1, len(taps), len(taps)))
    op = Conv(strides, (pad,) * 4, (1, 1), channels)
    result: Value = layer.add(op, x, layer.constant(kernel))
    return result


def _window(layer: Layer, x: Value) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Kernel and pads. ``padding`` counts both ends, the smaller half in front; with its default
    of size - 1, there are as many windows as strides fit into the input."""
    size = layer.options.integer("size", layer.options.integer("stride", 1, low=1), low=1)
    padding = layer.options.integer("padding", size - 1)
    before, after = padding // 2, padding - padding // 2
    if after >= size:
        raise UnsupportedError(f"padding={padding} with size={size}: windows of padding alone")
    if size > 2 * max(x.spec.shape[2:]) + 1:
        raise ShapeError(f"size={size} is far larger than the input {x.spec}")
    return (size, size), (before, before, after, after)


@converter("maxpool", "max")
def maxpool(layer: Layer) -> Value:
    x = layer.image
    if layer.options.flag("maxpool_depth"):
        return _over_channels(layer, x)
    blur = layer.options.integer("antialiasing", 0)
    kernel, pads = _window(layer, x)
    strides = layer.strides()
    y: Value = layer.add(MaxPool(kernel, (1, 1) if blur else strides, pads, (1, 1)), x)
    return blurred(layer, y, strides, blur) if blur else y


def _over_channels(layer: Layer, x: Value) -> Value:
    """Of every ``out_channels``-th channel the largest."""
    kept = layer.options.integer("out_channels", 1, low=1)
    batch, channels, *extents = x.spec.shape
    if channels % kept:
        raise ShapeError(f"{channels} channels do not divide by out_channels={kept}")
    groups = layer.reshape(x, batch, channels // kept, kept, *extents)
    result: Value = layer.add(Reduce("Max", (1,), False), groups)
    return result


@converter("local_avgpool", "local_avg")
def local_avgpool(layer: Layer) -> Value:
    x = layer.image
    kernel, pads = _window(layer, x)
    result: Value = layer.add(AveragePool(kernel, layer.strides(), pads, (1, 1)), x)
    return result


@converter("avgpool", "avg")
def avgpool(layer: Layer) -> Value:
    result: Value = layer.add(GlobalAveragePool(), layer.image)
    return result
