"""Layers with weights: convolutional, deconvolutional, local, connected, batchnorm."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ShapeError, UnsupportedError
from clnet.graph import Value
from clnet.importers.darknet.layer import MAX_STEP, Layer
from clnet.importers.darknet.layers.pooling import blurred
from clnet.importers.darknet.registry import converter
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.transpose import Transpose

#: Where Darknet adds it has changed: to the root of the variance at first, to the variance later,
#: and ten times as much on GPUs. Networks with small variances show it. This is as OpenCV does it.
EPSILON = 1e-6
#: Options that change which weights there are, or what is computed with them.
_OTHER_WEIGHTS = (
    "binary", "xnor", "bin_output", "sway", "rotate", "stretch", "stretch_sway",
    "coordconv", "dontload", "dontloadscales", "numload",
)  # fmt: skip
#: Elements of the kernels that gather each pixel's surroundings.
_MAX_GATHERING = 1 << 24
_STATISTICS = ("scales", "means", "variances")


def _statistics(layer: Layer, channels: int) -> list[np.ndarray]:
    """What batch normalisation needs beside the bias, where there is any; see _linear."""
    if not layer.options.flag("batch_normalize"):
        return []
    return [layer.take(what, channels) for what in _STATISTICS]


def _normalized(layer: Layer, x: Value, bias: np.ndarray, statistics: list[np.ndarray]) -> Value:
    scale, mean, variance = statistics
    named = {"scale": scale, "bias": bias, "mean": mean, "variance": variance}
    parameters = [layer.constant(array, name) for name, array in named.items()]
    result: Value = layer.add(BatchNormalization(EPSILON), x, *parameters)
    return result


def _linear(
    layer: Layer, op: Any, x: Value, weights: np.ndarray, bias: np.ndarray,
    statistics: list[np.ndarray],
) -> Value:  # fmt: skip
    """``op`` of x and weights, then the bias, or the batch normalisation that holds it."""
    if not statistics:
        named = layer.constant(weights, "weight"), layer.constant(bias, "bias")
        biased: Value = layer.add(op, x, *named)
        return biased
    y = layer.add(op, x, layer.constant(weights, "weight"))
    return _normalized(layer, y, bias, statistics)


def _padding(layer: Layer) -> tuple[int, int]:
    """Kernel size and padding: half the size with ``pad``, else ``padding``."""
    size = layer.options.integer("size", 1, low=1)
    padding = layer.options.integer("padding", 0, high=MAX_STEP)
    return size, size // 2 if layer.options.flag("pad") else padding


@converter("convolutional", "conv")
def convolutional(layer: Layer) -> Value:
    layer.refuse(*_OTHER_WEIGHTS)
    if "share_index" in layer.options.options:
        raise UnsupportedError("share_index=: weights of another layer")
    x = layer.image
    filters = layer.options.integer("filters", 1, low=1)
    groups = layer.options.integer("groups", 1, low=1)
    size, pad = _padding(layer)
    dilation = layer.options.integer("dilation", 1, low=1, high=MAX_STEP) if size > 1 else 1
    if dilation > 1 and 2 * pad != size - 1:  # Darknet's output would be larger than what it fills
        raise UnsupportedError(f"dilation={dilation} with size={size} and padding={pad}")
    channels = x.spec.shape[1]
    if channels % groups:
        raise ShapeError(f"{channels} channels do not divide by groups={groups}")
    blur = layer.options.integer("antialiasing", 0)
    strides = layer.strides()
    op = Conv((1, 1) if blur else strides, (pad * dilation,) * 4, (dilation, dilation), groups)
    bias, statistics = layer.take("biases", filters), _statistics(layer, filters)
    fan_in = channels // groups * size * size
    if layer.options.flag("flipped"):
        weights = layer.take("weights", fan_in, filters).T
    else:
        weights = layer.take("weights", filters, fan_in)
    weights = weights.reshape(filters, channels // groups, size, size)
    y = layer.activated(_linear(layer, op, x, weights, bias, statistics), "logistic")
    return blurred(layer, y, strides, blur) if blur else y


@converter("deconvolutional", "deconv")
def deconvolutional(layer: Layer) -> Value:
    layer.refuse(*_OTHER_WEIGHTS, "groups")
    x = layer.image
    filters = layer.options.integer("filters", 1, low=1)
    size, pad = _padding(layer)
    bias, statistics = layer.take("biases", filters), _statistics(layer, filters)
    weights = layer.take("weights", x.spec.shape[1], filters, size, size)
    op = ConvTranspose(layer.strides(), (pad,) * 4, (1, 1))
    return layer.activated(_linear(layer, op, x, weights, bias, statistics), "logistic")


@converter("connected", "conn")
def connected(layer: Layer) -> Value:
    layer.refuse(*_OTHER_WEIGHTS)
    x = layer.flat(layer.input)
    inputs, outputs = x.spec.shape[1], layer.options.integer("output", 1, low=1)
    bias = layer.take("biases", outputs)
    transposed = layer.weights.transposed
    weights = layer.take("weights", *((inputs, outputs) if transposed else (outputs, inputs)))
    y = _linear(layer, Gemm(trans_b=not transposed), x, weights, bias, _statistics(layer, outputs))
    return layer.activated(y, "logistic")


@converter("batchnorm")
def batchnorm(layer: Layer) -> Value:
    x = layer.image
    channels = x.spec.shape[1]
    bias = np.zeros(channels, np.float32)
    if layer.weights.batchnorm_biases:
        bias = layer.take("biases", channels)
    statistics = [layer.take(what, channels) for what in _STATISTICS]
    return _normalized(layer, x, bias, statistics)


@converter("local")
def local(layer: Layer) -> Value:
    """A convolution with weights of its own for every pixel: each pixel's surroundings, gathered
    by a convolution with kernels of a single one, times that pixel's matrix."""
    x = layer.image
    filters = layer.options.integer("filters", 1, low=1)
    size, strides = layer.options.integer("size", 1, low=1), layer.strides()
    pad = layer.options.integer("pad", 0)
    if pad and (pad, size) != (1, 3):  # Darknet counts on this, and reads elsewhere otherwise
        raise UnsupportedError(f"pad={pad} with size={size}")
    batch, channels = x.spec.shape[:2]
    height, width = (
        (extent + 2 * pad - size) // stride + 1
        for extent, stride in zip(x.spec.shape[2:], strides, strict=True)
    )
    if min(height, width) < 1:
        raise ShapeError(f"size={size} is larger than the input {x.spec}")
    pixels, fan_in = height * width, channels * size * size
    if channels * size**4 > _MAX_GATHERING:
        raise UnsupportedError(f"size={size} with {channels} channels")
    bias = layer.take("biases", filters, height, width)
    weights = layer.take("weights", pixels, filters, fan_in)
    ones = np.eye(size * size, dtype=np.float32).reshape(-1, 1, size, size)
    kernels = layer.constant(np.tile(ones, (channels, 1, 1, 1)))
    windows = layer.add(Conv(strides, (pad,) * 4, (1, 1), channels), x, kernels)
    columns = layer.reshape(windows, batch, fan_in, pixels)
    columns = layer.add(Transpose((2, 1, 0)), columns)
    y = layer.add(Transpose((2, 1, 0)), layer.add(MatMul(), layer.constant(weights), columns))
    y = layer.apply("Add", layer.reshape(y, batch, filters, height, width), layer.constant(bias))
    return layer.activated(y, "logistic")
