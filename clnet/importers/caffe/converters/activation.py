"""Functions of one element, those of the forks included."""

from __future__ import annotations

import math
from collections.abc import Callable

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.registry import converter
from clnet.ops.cast import Cast

#: Layers that are one function without parameters.
_PLAIN: dict[str, tuple[str, dict[str, float]]] = {
    "Sigmoid": ("Sigmoid", {}), "TanH": ("Tanh", {}), "AbsVal": ("Abs", {}),
    "BNLL": ("Softplus", {}), "Mish": ("Mish", {}), "ReLU6": ("Clip", {"min": 0.0, "max": 6.0}),
    "HardSwish": ("HardSwish", {}), "HSwish": ("HardSwish", {}),
    "HSigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}  # fmt: skip


@converter(*_PLAIN)
def plain(layer: CaffeLayer) -> Value:
    function, params = _PLAIN[layer.type]
    return layer.apply(function, layer.only(), **params)


@converter("ReLU")
def relu(layer: CaffeLayer) -> Value:
    param = layer.param("relu_param")
    param.ignore("engine")
    slope = param.real("negative_slope", 0.0)
    if slope == 0.0:
        return layer.apply("Relu", layer.only())
    return layer.apply("LeakyRelu", layer.only(), alpha=slope)


@converter("PReLU")
def prelu(layer: CaffeLayer) -> Value:
    x = layer.only(2)
    param = layer.param("prelu_param")
    param.ignore("filler")
    if param.flag("channel_shared"):
        return layer.apply("PRelu", x, layer.blob(0, ()))
    channels = x.spec.shape[1]
    slopes = layer.array(0, (channels,)).reshape(channels, *(1,) * (x.spec.rank - 2))
    return layer.apply("PRelu", x, layer.constant(slopes))


@converter("ELU")
def elu(layer: CaffeLayer) -> Value:
    return layer.apply("Elu", layer.only(), alpha=layer.param("elu_param").real("alpha", 1.0))


@converter("Swish")
def swish(layer: CaffeLayer) -> Value:
    param = layer.param("swish_param")
    param.ignore("engine")
    return layer.apply("Swish", layer.only(), alpha=param.real("beta", 1.0))


@converter("HardSigmoid")
def hard_sigmoid(layer: CaffeLayer) -> Value:
    """Forks without parameters mean MobileNetV3's, x/6 + 1/2; those with, as Keras, x/5 + 1/2."""
    param = layer.param("hard_sigmoid_param", "hardsigmoid_param")
    given = param.has("alpha") or param.has("beta")
    slope = param.real("alpha", 0.2 if given else 1 / 6)
    return layer.apply("HardSigmoid", layer.only(), alpha=slope, beta=param.real("beta", 0.5))


@converter("Clip")
def clip(layer: CaffeLayer) -> Value:
    param = layer.param("clip_param")
    return layer.apply("Clip", layer.only(), min=param.real("min"), max=param.real("max"))


@converter("Threshold")
def threshold(layer: CaffeLayer) -> Value:
    """1 where the element is above the threshold, else 0."""
    limit = layer.constant(layer.param("threshold_param").real("threshold", 0.0))
    result: Value = layer.add(Cast("float32"), layer.apply("Greater", layer.only(), limit))
    return result


@converter("Power")
def power(layer: CaffeLayer) -> Value:
    """(shift + scale · x)^power."""
    param = layer.param("power_param")
    x = _affine(layer, layer.only(), param.real("scale", 1.0), param.real("shift", 0.0))
    exponent = param.real("power", 1.0)
    simple: dict[float, Callable[[], Value]] = {
        1.0: lambda: x,
        2.0: lambda: layer.apply("Mul", x, x),
        0.5: lambda: layer.apply("Sqrt", x),
        -1.0: lambda: layer.apply("Reciprocal", x),
    }
    if exponent in simple:
        return simple[exponent]()
    return layer.apply("Pow", x, layer.constant(exponent))


@converter("Exp")
def exponential(layer: CaffeLayer) -> Value:
    """base^(shift + scale · x); the base -1 stands for e."""
    param = layer.param("exp_param")
    factor = _log_of_base(param.real("base", -1.0))
    scale, shift = param.real("scale", 1.0), param.real("shift", 0.0)
    return layer.apply("Exp", _affine(layer, layer.only(), scale * factor, shift * factor))


@converter("Log")
def logarithm(layer: CaffeLayer) -> Value:
    """log(shift + scale · x) to the base; -1 stands for e."""
    param = layer.param("log_param")
    factor = _log_of_base(param.real("base", -1.0))
    if factor == 0.0:
        raise ModelError("log_param.base is 1")
    x = _affine(layer, layer.only(), param.real("scale", 1.0), param.real("shift", 0.0))
    return _affine(layer, layer.apply("Log", x), 1 / factor, 0.0)


def _log_of_base(base: float) -> float:
    if base != -1.0 and base <= 0.0:
        raise ModelError(f"a base of {base}")
    return 1.0 if base == -1.0 else math.log(base)


def _affine(layer: CaffeLayer, x: Value, scale: float, shift: float) -> Value:
    if scale != 1.0:
        x = layer.apply("Scale", x, factor=scale)
    return layer.apply("Add", x, layer.constant(shift)) if shift != 0.0 else x
