"""Layers that read several others: route, shortcut, scale_channels, sam."""

from __future__ import annotations

import numpy as np

from clnet.errors import ModelError, ShapeError, UnsupportedError
from clnet.graph import Value
from clnet.importers.darknet.layer import Layer
from clnet.importers.darknet.registry import converter
from clnet.importers.names import shown
from clnet.ops.concat import Concat
from clnet.ops.pad import Pad
from clnet.ops.slice import Slice


@converter("route", "concat")
def route(layer: Layer) -> Value:
    """Channels of several layers one behind the other; of each layer only a group, if asked for.
    Images of different sizes are joined as vectors."""
    parts = layer.earlier("layers")
    groups = layer.options.integer("groups", 1, low=1)
    group = layer.options.integer("group_id", 0, high=groups - 1)
    if len({part.spec.shape[2:] for part in parts}) > 1:
        parts = [layer.flat(part) for part in parts]
    if groups > 1:
        parts = [_group(layer, part, groups, group) for part in parts]
    if len(parts) == 1:
        return parts[0]
    joined: Value = layer.add(Concat(1), *parts)
    return joined


def _group(layer: Layer, x: Value, groups: int, group: int) -> Value:
    channels = x.spec.shape[1]
    if channels % groups:
        raise ShapeError(f"{channels} channels do not divide by groups={groups}")
    count = channels // groups
    result: Value = layer.add(Slice((group * count,), ((group + 1) * count,), (1,)), x)
    return result


@converter("shortcut")
def shortcut(layer: Layer) -> Value:
    """The sum of this layer's input and others, each with a weight if the layer has any."""
    x = layer.image
    others = [layer.as_image(value) for value in layer.earlier("from")]
    factors = _weights(layer, len(others) + 1, x.spec.shape[1])
    whole = all(other.spec.shape == x.spec.shape for other in others)
    if not whole and layer.options.real("alpha", 1) != 1:
        raise UnsupportedError("alpha= for a part of the input")
    total = _times(layer, x, factors[0])
    for other, factor in zip(others, factors[1:], strict=True):
        fitted = other if other.spec.shape == x.spec.shape else _fitted(layer, other, x)
        total = layer.apply("Add", total, _times(layer, fitted, factor))
    return layer.activated(total, "linear")


def _times(layer: Layer, x: Value, factor: np.ndarray) -> Value:
    """x times a number, or one per channel."""
    if factor.size == 1:
        number = float(factor.reshape(()))
        return x if number == 1 else layer.apply("Scale", x, factor=number)
    return layer.apply("Mul", x, layer.constant(factor.reshape(1, -1, 1, 1)))


def _weights(layer: Layer, count: int, channels: int) -> list[np.ndarray]:
    """The factors of the input and of each other layer: alpha and beta, or learned ones."""
    kind = layer.options.text("weights_type", "none")
    if kind == "none":
        alpha, beta = layer.options.real("alpha", 1), layer.options.real("beta", 1)
        return [np.array(alpha), *[np.array(beta)] * (count - 1)]
    if kind not in ("per_feature", "per_layer", "per_channel"):
        raise ModelError(f"weights_type={shown(kind)} is not known")
    taken = layer.take("weights", count, channels if kind == "per_channel" else 1)
    normalization = layer.options.text("weights_normalization", "none")
    if normalization == "none":
        return list(taken)
    with np.errstate(invalid="ignore", over="ignore"):
        if normalization in ("relu", "avg_relu"):
            positive = np.maximum(taken, 0)
        elif normalization == "softmax":
            positive = np.exp(taken - taken.max(0))
        else:
            raise ModelError(f"weights_normalization={shown(normalization)} is not known")
        return list(positive / (positive.sum(0) + np.float32(1e-4)))


def _fitted(layer: Layer, other: Value, x: Value) -> Value:
    """Darknet's rule for images that differ: pixels are skipped where the other one is a multiple
    as large, channels and pixels that only one of the two has stay as they are."""
    steps = [
        max(1, theirs // ours)
        for theirs, ours in zip(other.spec.shape[2:], x.spec.shape[2:], strict=True)
    ]
    larger = [
        max(1, ours // theirs)
        for theirs, ours in zip(other.spec.shape[2:], x.spec.shape[2:], strict=True)
    ]
    if steps[0] != steps[1] or larger != [1, 1]:
        raise UnsupportedError(f"adds {other.spec} to {x.spec}")
    _, channels, height, width = (
        min(theirs, ours) for theirs, ours in zip(other.spec.shape, x.spec.shape, strict=True)
    )
    ends = (channels, height * steps[0], width * steps[1])
    part = layer.add(Slice((0, 0, 0), ends, (1, 2, 3), (1, *steps)), other)
    missing = (
        ours - taken
        for ours, taken in zip(x.spec.shape[1:], (channels, height, width), strict=True)
    )
    padded: Value = layer.add(Pad((0, 0, 0, 0, 0, *missing)), part)
    return padded


@converter("scale_channels")
def scale_channels(layer: Layer) -> Value:
    """Another layer's image times a number per channel, or with ``scale_wh`` one per pixel."""
    x = layer.image
    (other,) = _single(layer)
    batch, channels, height, width = other.spec.shape
    by_pixel = layer.options.flag("scale_wh")
    wanted = (batch, 1, height, width) if by_pixel else (batch, channels, 1, 1)
    if x.spec.shape != wanted:
        raise ShapeError(f"scales {other.spec} by {x.spec}, not by {list(wanted)}")
    return layer.activated(layer.apply("Mul", other, x), "linear")


@converter("sam")
def sam(layer: Layer) -> Value:
    """The product with another layer, pixel by pixel."""
    x = layer.image
    (other,) = _single(layer)
    if other.spec.shape != x.spec.shape:
        raise ShapeError(f"multiplies {x.spec} by {other.spec}")
    return layer.activated(layer.apply("Mul", x, other), "linear")


def _single(layer: Layer) -> list[Value]:
    others = layer.earlier("from")
    if len(others) != 1:
        raise ModelError(f"from= names {len(others)} layers instead of one")
    return [layer.as_image(others[0])]
