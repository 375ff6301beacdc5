"""Convolutions and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.tflite.dynamic import rounded
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import converter
from clnet.importers.tflite.windows import Window, read_window
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose


@converter("CONV_2D", linear=(0,))
def convolution(node: TfliteNode) -> Any:
    """Weights are [outputs, height, width, inputs / groups]."""
    x, w = node.image(0), _kernel(node, 0)
    channels, per_group = x.spec.shape[3], w.spec.shape[3]
    if not per_group or channels % per_group:
        raise ModelError(f"weights {w.spec} do not fit the input {x.spec}")
    return _convolution(node, node.transposed(w, (0, 3, 1, 2)), channels // per_group)


@converter("DEPTHWISE_CONV_2D", linear=(0,))
def depthwise_convolution(node: TfliteNode) -> Any:
    """Weights are [1, height, width, channels * multiplier], a channel's outputs side by side."""
    x, w = node.image(0), _kernel(node, 3)
    channels = x.spec.shape[3]
    if w.spec.shape[0] != 1 or not channels or w.spec.shape[3] % channels:
        raise ModelError(f"weights {w.spec} do not fit the input {x.spec}")
    return _convolution(node, node.transposed(w, (3, 0, 1, 2)), channels)


def _kernel(node: TfliteNode, channels: int) -> Value:
    """The weights, and which axis of theirs is the output's channels."""
    weights = node.weights(1, channels)
    if weights.spec.rank != 4:
        raise ModelError(f"weights {weights.spec} are not four-dimensional")
    return weights


def _convolution(node: TfliteNode, weights: Value, groups: int) -> Value:
    window = read_window(node, weights.spec.shape[2:], node.image(0).spec.shape[1:3])
    op = Conv(window.strides, window.pads, window.dilations, groups)
    is_product = groups == 1 and window.kernel == window.strides == (1, 1)
    x = rounded(node, node.image(0), 1, is_product)
    return node.nhwc(node.add(op, node.nchw(x), weights, node.bias(2)))


@converter("TRANSPOSE_CONV", linear=(2,))
def transposed_convolution(node: TfliteNode) -> Any:
    """Inputs: the output's shape, weights [outputs, height, width, inputs], x, an optional bias."""
    x, w, shape = node.image(2), _kernel(node, 0), node.integers_of(0)
    if len(shape) != 4:
        raise ModelError(f"the output's shape {list(shape)} has not four dimensions")
    window = read_window(node, w.spec.shape[1:3], shape[1:3])
    y = gathered(node, rounded(node, x, 1, False), w, node.bias(3), window, shape[1:3])
    if y.spec.shape != shape:
        raise ModelError(f"the output is {list(y.spec.shape)}, not {list(shape)} as it says")
    return y


def gathered(
    node: TfliteNode,
    x: Value,
    weights: Value,
    bias: Value | None,
    window: Window,
    size: Sequence[int],
) -> Value:
    """A transposed convolution that gives an image of ``size``; ``window`` is how a convolution
    would walk over that. Elements that no window reaches hold the bias alone."""
    ends, beyond = [], []
    for i in range(2):
        full = (x.spec.shape[1 + i] - 1) * window.strides[i] + window.kernel[i]
        rest = full - window.pads[i] - size[i]
        ends.append(max(0, rest))
        beyond.append(max(0, -rest))
    op = ConvTranspose(window.strides, (*window.pads[:2], *ends), (1, 1), 1, tuple(beyond))
    kernel = node.transposed(weights, (3, 0, 1, 2))
    return node.nhwc(node.add(op, node.nchw(x), kernel, bias))
