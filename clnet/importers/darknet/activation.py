"""Darknet's activations, out of elementwise functions, which are fused later."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from clnet.graph import Value
from clnet.ops.reduce import Reduce

if TYPE_CHECKING:
    from clnet.importers.darknet.layer import Layer

Activation = Callable[["Layer", Value], Value]

_EPSILON = 1e-4  # of normalised channels


def _function(name: str, **params: float) -> Activation:
    return lambda layer, x: layer.apply(name, x, **params)


def _sum(layer: Layer, *terms: Value) -> Value:
    total, *others = terms
    for term in others:
        total = layer.apply("Add", total, term)
    return total


def _loggy(layer: Layer, x: Value) -> Value:
    """Twice the sigmoid, less 1: tanh(x / 2)."""
    return layer.apply("Tanh", layer.apply("Scale", x, factor=0.5))


def _ramp(layer: Layer, x: Value) -> Value:
    """x above 0, and x/10 everywhere."""
    return _sum(layer, layer.apply("Relu", x), layer.apply("Scale", x, factor=0.1))


def _outside(layer: Layer, x: Value, low: float, high: float, factor: float) -> Value:
    """``factor`` times how far x lies outside ``low``..``high``."""
    inside = layer.apply("Clip", x, min=low, max=high)
    return layer.apply("Scale", layer.apply("Sub", x, inside), factor=factor)


def _plse(layer: Layer, x: Value) -> Value:
    """x/8 + 1/2 between -4 and 4, of slope 1/100 outside."""
    middle = layer.apply("HardSigmoid", x, alpha=0.125, beta=0.5)
    return _sum(layer, middle, _outside(layer, x, -4, 4, 0.01))


def _lhtan(layer: Layer, x: Value) -> Value:
    """x between 0 and 1, of slope 1/1000 outside."""
    middle = layer.apply("Clip", x, min=0, max=1)
    return _sum(layer, middle, _outside(layer, x, 0, 1, 0.001))


def _stair(layer: Layer, x: Value) -> Value:
    """Flat over the first half of each interval of length 2, of slope 1 over the second."""
    half = layer.apply("Floor", layer.apply("Scale", x, factor=0.5))
    rest = layer.apply("Sub", x, layer.apply("Scale", half, factor=2.0))
    rest = layer.apply("Sub", rest, layer.constant(1))
    return _sum(layer, half, layer.apply("Relu", rest))


def _hard_mish(layer: Layer, x: Value) -> Value:
    """x above 0, x²/2 + x between -2 and 0, nothing below."""
    negative = layer.apply("Clip", x, min=-2, max=0)
    square = layer.apply("Scale", layer.apply("Mul", negative, negative), factor=0.5)
    return _sum(layer, layer.apply("Relu", x), square, negative)


def _share(layer: Layer, x: Value) -> Value:
    """Each channel's share of a pixel's sum over the channels."""
    total = layer.add(Reduce("Sum", (1,)), x)
    return layer.apply("Div", x, layer.apply("Add", total, layer.constant(_EPSILON)))


def _normalized(layer: Layer, x: Value) -> Value:
    return _share(layer, layer.apply("Relu", layer.as_image(x)))


def _softmax(layer: Layer, x: Value, shifted: bool) -> Value:
    x = layer.as_image(x)
    if shifted:
        x = layer.apply("Sub", x, layer.add(Reduce("Max", (1,)), x))
    return _share(layer, layer.apply("Exp", x))


ACTIVATIONS: dict[str, Activation] = {
    "linear": lambda layer, x: x,
    "logistic": _function("Sigmoid"),
    "loggy": _loggy,
    "relu": _function("Relu"),
    "relu6": _function("Clip", min=0, max=6),
    "elu": _function("Elu"),
    "selu": _function("Selu", alpha=1.6732, gamma=1.0507),
    "relie": _function("LeakyRelu", alpha=0.01),
    "leaky": _function("LeakyRelu", alpha=0.1),
    "revleaky": _function("LeakyRelu", alpha=0.1),  # differs in training alone
    "ramp": _ramp,
    "hardtan": _function("Clip", min=-1, max=1),
    "lhtan": _lhtan,
    "plse": _plse,
    "tanh": _function("Tanh"),
    "stair": _stair,
    "swish": _function("Swish"),
    "mish": _function("Mish"),
    "hard_mish": _hard_mish,
    "gelu": _function("GeluTanh"),
    "normalize_channels": _normalized,
    "normalize_channels_softmax": partial(_softmax, shifted=False),
    "normalize_channels_softmax_maxval": partial(_softmax, shifted=True),
}
