"""Activations, in forms that neither overflow nor lose the small side."""

from __future__ import annotations

import numpy as np

from clnet.ops.functions.arithmetic import erf
from clnet.ops.functions.gradients import chain
from clnet.ops.functions.table import NUMBER, row


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _clip(x: np.ndarray, min: float | int, max: float | int) -> np.ndarray:
    if min > -np.inf:
        x = np.maximum(x, x.dtype.type(min))
    if max < np.inf:
        x = np.minimum(x, x.dtype.type(max))
    return x


def _clipped(value: str, low: str, high: str) -> str:
    """OpenCL C of ONNX's Clip: NaN stays, and everything is ``high`` where the limits cross."""
    raised = f"({value} < {low} ? {low} : {value})"
    return f"({raised} > {high} ? {high} : {raised})"


# Comparisons that a NaN fails leave it in place: Relu and Clip of NaN are NaN, as in NumPy.
row("Relu", 1, "({0} < ({T})0 ? ({T})0 : {0})", lambda x: np.maximum(x, 0), dtypes=NUMBER,
    gradient=chain("ReluGradient y g"))  # fmt: skip
row("ReluGradient", 2, "({0} > ({T})0 ? {1} : ({T})0)", lambda y, g: np.where(y > 0, g, 0))
row("LeakyRelu", 1, "({0} < ({T})0 ? {0} * ({T}){alpha} : {0})",
    lambda x, alpha: np.where(x < 0, x * alpha, x), params={"alpha": 0.01},
    gradient=chain("LeakyReluGradient 0 g"))  # fmt: skip
row("LeakyReluGradient", 2, "({0} < ({T})0 ? {1} * ({T}){alpha} : {1})",
    lambda x, g, alpha: np.where(x < 0, g * alpha, g), params={"alpha": 0.01})  # fmt: skip
row("PRelu", 2, "({0} < ({T})0 ? {0} * {1} : {0})", lambda x, slope: np.where(x < 0, x * slope, x),
    gradient=chain("LeakyBySlope 0 1 g", "SlopeGradient 0 g"), dtypes=NUMBER)  # fmt: skip
row("LeakyBySlope", 3, "({0} < ({T})0 ? {2} * {1} : {2})",
    lambda x, slope, g: np.where(x < 0, g * slope, g))  # fmt: skip
row("SlopeGradient", 2, "({0} < ({T})0 ? {0} * {1} : ({T})0)",
    lambda x, g: np.where(x < 0, x * g, 0))  # fmt: skip
row("ThresholdedRelu", 1, "({0} > ({T}){alpha} ? {0} : ({T})0)",
    lambda x, alpha: np.where(x > alpha, x, 0), params={"alpha": 1.0})  # fmt: skip
row("Clip", 1, _clipped("{0}", "({T}){min}", "({T}){max}"), _clip,
    params={"min": -np.inf, "max": np.inf}, gradient=chain("ClipGradient 0 g"),
    dtypes=NUMBER)  # fmt: skip
row("ClipGradient", 2, "({0} > ({T}){min} & {0} < ({T}){max} ? {1} : ({T})0)",
    lambda x, g, min, max: np.where((x > min) & (x < max), g, 0),
    params={"min": -np.inf, "max": np.inf})  # fmt: skip
row("Shrink", 1,
    "({0} < -({T}){lambd} ? {0} + ({T}){bias} : {0} > ({T}){lambd} ? {0} - ({T}){bias} : ({T})0)",
    lambda x, lambd, bias: np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0)),
    params={"lambd": 0.5, "bias": 0.0})  # fmt: skip

row("Tanh", 1, "TANH({T}, {0})", np.tanh, gradient=chain("TanhGradient y g"))
row("TanhGradient", 2, "{1} * (({T})1 - {0} * {0})", lambda y, g: g * (1 - y * y))
row("Sigmoid", 1, "({T})1 / (({T})1 + exp(-{0}))", _sigmoid, domain=(-20.0, 20.0),
    gradient=chain("SigmoidGradient y g"))  # fmt: skip
row("SigmoidGradient", 2, "{1} * {0} * (({T})1 - {0})", lambda y, g: g * y * (1 - y))
row("Swish", 1, "{0} / (({T})1 + exp(-({T}){alpha} * {0}))",
    lambda x, alpha: x * _sigmoid(alpha * x),
    params={"alpha": 1.0}, domain=(-20.0, 20.0), gradient=chain("SwishGradient 0 g"))  # fmt: skip
_SWISH_SIGMOID = "(({T})1 / (({T})1 + exp(-({T}){alpha} * {0})))"
row("SwishGradient", 2,
    "{1} * {s} * (({T})1 + ({T}){alpha} * {0} * (({T})1 - {s}))".replace("{s}", _SWISH_SIGMOID),
    lambda x, g, alpha: (
        g * _sigmoid(alpha * x) * (1 + alpha * x * (1 - _sigmoid(alpha * x)))
    ),
    params={"alpha": 1.0})  # fmt: skip
row("HardSigmoid", 1,
    _clipped("({0} * ({T}){alpha} + ({T}){beta})", "({T})0", "({T})1"),
    lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
    params={"alpha": 0.2, "beta": 0.5})  # fmt: skip
row("Affine", 1, "{0} * ({T}){alpha} + ({T}){beta}", lambda x, alpha, beta: alpha * x + beta,
    params={"alpha": 1.0, "beta": 0.0}, gradient=chain("AffineGradient g"))  # fmt: skip
row("AffineGradient", 1, "{0} * ({T}){alpha}", lambda g, alpha: alpha * g, params={"alpha": 1.0})
row("HardSwish", 1, "{0} * " + _clipped("({0} / ({T})6 + ({T})0.5f)", "({T})0", "({T})1"),
    lambda x: x * np.clip(x / 6 + 0.5, 0, 1), domain=(-5.0, 5.0),
    gradient=chain("HardSwishGradient 0 g"))  # fmt: skip
row("HardSwishGradient", 2,
    "({0} <= ({T})-3 ? ({T})0 : {0} >= ({T})3 ? {1} : {1} * ({0} / ({T})3 + ({T})0.5f))",
    lambda x, g: np.where(x <= -3, 0, np.where(x >= 3, g, g * (x / 3 + 0.5))),
    domain=(-5.0, 5.0))  # fmt: skip
row("Elu", 1, "({0} < ({T})0 ? ({T}){alpha} * expm1({0}) : {0})",
    lambda x, alpha: np.where(x < 0, alpha * np.expm1(x), x), params={"alpha": 1.0},
    gradient=chain("EluGradient 0 g"))  # fmt: skip
row("EluGradient", 2, "({0} < ({T})0 ? {1} * ({T}){alpha} * exp({0}) : {1})",
    lambda x, g, alpha: np.where(x < 0, g * alpha * np.exp(x), g),
    params={"alpha": 1.0})  # fmt: skip
row("Selu", 1, "({T}){gamma} * ({0} < ({T})0 ? ({T}){alpha} * expm1({0}) : {0})",
    lambda x, alpha, gamma: gamma * np.where(x < 0, alpha * np.expm1(x), x),
    params={"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875})  # fmt: skip
row("Celu", 1, "({0} < ({T})0 ? ({T}){alpha} * expm1({0} / ({T}){alpha}) : {0})",
    lambda x, alpha: np.where(x < 0, alpha * np.expm1(x / alpha), x),
    params={"alpha": 1.0})  # fmt: skip
_SOFTPLUS = "(({0} > ({T})0 ? {0} : ({T})0) + log1p(exp(-fabs({0}))))"
row("Softplus", 1, _SOFTPLUS, _softplus, domain=(-20.0, 20.0),
    gradient=chain("SoftplusGradient 0 g"))  # fmt: skip
row("SoftplusGradient", 2, "{1} / (({T})1 + exp(-{0}))", lambda x, g: g * _sigmoid(x))
row("Softsign", 1, "{0} / (({T})1 + fabs({0}))", lambda x: x / (1 + np.abs(x)))
# x·tanh(log(1+e^x)) with one exponential w = e^-|x|: tanh(softplus) is (1+2w)/(1+2w+2w²) for
# positive x and w(w+2)/(w(w+2)+2) for negative.
_W = "exp(-fabs({0}))"
_MISH = (
    "({0} > ({T})0 ? {0} * (({T})1 + ({T})2 * {w}) / (({T})1 + ({T})2 * {w} * (({T})1 + {w}))"
    " : {0} * {w} * ({w} + ({T})2) / ({w} * ({w} + ({T})2) + ({T})2))"
)
row("Mish", 1, _MISH.replace("{w}", _W), lambda x: x * np.tanh(_softplus(x)),
    domain=(-20.0, 20.0))  # fmt: skip
# x·Φ(x) with Φ(-|x|) = p(t)·e^(-x²/2)/2, t = 1/(1+0.3275911|x|/√2): Abramowitz & Stegun 7.1.26,
# off by 1.5e-7 at most. The built-in erf is many times slower.
_T = "(({T})1 / (({T})1 + ({T})0.23164190f * fabs({0})))"
_TAIL = (
    "({t} * (({T})0.12741479f + {t} * (({T})-0.14224837f + {t} * (({T})0.71070687f"
    " + {t} * (({T})-0.72657601f + {t} * ({T})0.53070271f)))) * exp(({T})-0.5f * {0} * {0}))"
).replace("{t}", _T)
row("Gelu", 1, "{0} * ({0} > ({T})0 ? ({T})1 - {q} : {q})".replace("{q}", _TAIL),
    lambda x: 0.5 * x * (1 + erf(x * 0.5**0.5)), gradient=chain("GeluGradient 0 g"))  # fmt: skip
row("GeluGradient", 2,
    "{1} * (({T})0.5f * (({T})1 + erf({0} * ({T})0.70710678f))"
    " + {0} * ({T})0.39894228f * exp(({T})-0.5f * {0} * {0}))",
    lambda x, g: (
        g * (0.5 * (1 + erf(x * 0.5**0.5)) + x * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))
    ))  # fmt: skip
# (1 + tanh(u))/2 is the sigmoid of 2u.
row("GeluTanh", 1,
    "{0} / (({T})1 + exp(({T})-1.5957691f * {0} * (({T})1 + ({T})0.044715f * {0} * {0})))",
    lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))  # fmt: skip
