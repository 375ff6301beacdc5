"""Layers without weights that keep the shape: softmax, normalization, dropout and the like."""

from __future__ import annotations

import math

from clnet.errors import ShapeError, UnsupportedError
from clnet.graph import Value
from clnet.importers.darknet.layer import Layer
from clnet.importers.darknet.registry import converter
from clnet.ops.dropout import Dropout
from clnet.ops.pooling import AveragePool
from clnet.ops.slice import Slice
from clnet.ops.softmax import Softmax


@converter("dropout")
def dropout(layer: Layer) -> Value:
    """Acts in training alone."""
    ratio = layer.options.real("probability", 0.5)
    dropped: Value = layer.add(Dropout(ratio), layer.input) if layer.training else layer.input
    return dropped


@converter("cost", "empty", "silence")
def nothing(layer: Layer) -> Value:
    """Layers that compute nothing."""
    return layer.input


@converter("activation")
def activation(layer: Layer) -> Value:
    return layer.activated(layer.input, "linear")


@converter("logistic", "logxent")
def logistic(layer: Layer) -> Value:
    return layer.apply("Sigmoid", layer.input)


@converter("softmax", "soft")
def softmax(layer: Layer) -> Value:
    """Over all inputs, over each of ``groups`` equal runs of them, or over the channels of each
    pixel (``spatial``)."""
    if "tree" in layer.options.options:
        raise UnsupportedError("tree=: hierarchies of classes are not supported")
    if layer.options.flag("spatial"):
        pixels: Value = layer.add(Softmax(1), layer.image)
        return pixels
    x = layer.input
    groups = layer.options.integer("groups", 1, low=1)
    temperature = layer.options.real("temperature", 1)
    batch, *shape = x.spec.shape
    count = math.prod(shape)
    if count % groups or temperature == 0:
        raise ShapeError(f"{count} inputs, groups={groups}, temperature={temperature:g}")
    if temperature != 1:
        x = layer.apply("Scale", x, factor=1 / temperature)
    if groups == 1 and count == shape[0]:
        scores: Value = layer.add(Softmax(1), x)
        return scores
    y = layer.add(Softmax(2), layer.reshape(x, batch, groups, count // groups))
    return layer.reshape(y, batch, *shape)


@converter("normalization", "lrn")
def normalization(layer: Layer) -> Value:
    """x / (kappa + alpha · sum of x² over the ``size`` channels around)^beta.

    Darknet slides the sum from channel to channel, but starts one channel short: channel size/2 is
    never added, though it is subtracted when it leaves. So all sums lack it, as trained networks
    expect.
    """
    x = layer.image
    size = layer.options.integer("size", 5, low=1)
    alpha, beta = layer.options.real("alpha", 1e-4), layer.options.real("beta", 0.75)
    batch, channels, height, width = x.spec.shape
    half = size // 2
    if half > channels:
        raise ShapeError(f"size={size} for {channels} channels")
    squares = layer.apply("Mul", x, x)
    column = layer.reshape(squares, batch, 1, channels, height * width)
    pads = ((size - 1) // 2, 0, half, 0)
    mean = AveragePool((size, 1), (1, 1), pads, (1, 1), count_include_pad=True)
    means = layer.reshape(layer.add(mean, column), *x.spec.shape)
    sums = layer.apply("Scale", means, factor=float(size))
    if half < channels:
        sums = layer.apply("Sub", sums, layer.add(Slice((half,), (half + 1,), (1,)), squares))
    kappa = layer.constant(layer.options.real("kappa", 1))
    norms = layer.apply("Add", layer.apply("Scale", sums, factor=alpha), kappa)
    return layer.apply("Mul", x, layer.apply("Pow", norms, layer.constant(-beta)))
