"""Slopes of functions of one argument, each of which makes a row that multiplies it by a gradient.

``code`` and ``numpy`` are the slope at {0}, in the same forms as in the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from clnet.ops.functions.gradients import chain
from clnet.ops.functions.table import FUNCTIONS, row


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _tanh_of_softplus_slope(x: np.ndarray) -> np.ndarray:
    t = np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
    return t + x * (1 - t * t) * _sigmoid(x)


def _gelu_tanh_slope(x: np.ndarray) -> np.ndarray:
    s = _sigmoid(1.5957691 * x * (1 + 0.044715 * x * x))
    return s + x * s * (1 - s) * 1.5957691 * (1 + 0.134145 * x * x)


# tanh(softplus(x)) from one exponential, as in Mish itself.
_W = "exp(-fabs({0}))"
_T = (
    "({0} > ({T})0 ? (({T})1 + ({T})2 * {w}) / (({T})1 + ({T})2 * {w} * (({T})1 + {w}))"
    " : {w} * ({w} + ({T})2) / ({w} * ({w} + ({T})2) + ({T})2))"
).replace("{w}", _W)
_MISH = f"({_T} + {{0}} * (({{T}})1 - {_T} * {_T}) / (({{T}})1 + exp(-{{0}})))"
_S = "(({T})1 / (({T})1 + exp(({T})-1.5957691f * {0} * (({T})1 + ({T})0.044715f * {0} * {0}))))"
_GELU_TANH = (
    f"({_S} + {{0}} * {_S} * (({{T}})1 - {_S}) * ({{T}})1.5957691f"
    " * (({T})1 + ({T})0.134145f * {0} * {0}))"
)

_SLOPES: dict[str, tuple[str, Callable[..., Any]]] = {
    "Sin": ("cos({0})", np.cos),
    "Cos": ("-sin({0})", lambda x: -np.sin(x)),
    "Tan": ("(({T})1 + tan({0}) * tan({0}))", lambda x: 1 + np.tan(x) ** 2),
    "Asin": ("rsqrt(({T})1 - {0} * {0})", lambda x: 1 / np.sqrt(1 - x * x)),
    "Acos": ("-rsqrt(({T})1 - {0} * {0})", lambda x: -1 / np.sqrt(1 - x * x)),
    "Atan": ("(({T})1 / (({T})1 + {0} * {0}))", lambda x: 1 / (1 + x * x)),
    "Sinh": ("cosh({0})", np.cosh),
    "Cosh": ("sinh({0})", np.sinh),
    "Asinh": ("rsqrt({0} * {0} + ({T})1)", lambda x: 1 / np.sqrt(x * x + 1)),
    "Acosh": ("rsqrt({0} * {0} - ({T})1)", lambda x: 1 / np.sqrt(x * x - 1)),
    "Atanh": ("(({T})1 / (({T})1 - {0} * {0}))", lambda x: 1 / (1 - x * x)),
    "Erf": (
        "({T})1.1283792f * exp(-{0} * {0})",
        lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x),
    ),
    "Softsign": (
        "(({T})1 / ((({T})1 + fabs({0})) * (({T})1 + fabs({0}))))",
        lambda x: 1 / (1 + np.abs(x)) ** 2,
    ),
    "Mish": (_MISH, _tanh_of_softplus_slope),
    "GeluTanh": (_GELU_TANH, _gelu_tanh_slope),
    "ThresholdedRelu": (
        "({0} > ({T}){alpha} ? ({T})1 : ({T})0)",
        lambda x, alpha: (x > alpha).astype(x.dtype),
    ),
    "Shrink": (
        "({0} < -({T}){lambd} ? ({T})1 : {0} > ({T}){lambd} ? ({T})1 : ({T})0)",
        lambda x, lambd, bias: (np.abs(x) > lambd).astype(x.dtype),
    ),
    "HardSigmoid": (
        "({0} * ({T}){alpha} + ({T}){beta} > ({T})0"
        " & {0} * ({T}){alpha} + ({T}){beta} < ({T})1 ? ({T}){alpha} : ({T})0)",
        lambda x, alpha, beta: np.where((alpha * x + beta > 0) & (alpha * x + beta < 1), alpha, 0),
    ),
    "Selu": (
        "({T}){gamma} * ({0} < ({T})0 ? ({T}){alpha} * exp({0}) : ({T})1)",
        lambda x, alpha, gamma: gamma * np.where(x < 0, alpha * np.exp(x), 1),
    ),
    "Celu": (
        "({0} < ({T})0 ? exp({0} / ({T}){alpha}) : ({T})1)",
        lambda x, alpha: np.where(x < 0, np.exp(x / alpha), 1),
    ),
}


def _times(slope: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, g, **params: g * slope(x, **params)


for _name, (_code, _slope) in _SLOPES.items():
    _function = FUNCTIONS[_name]
    row(f"{_name}Gradient", 2, f"{{1}} * ({_code})", _times(_slope), params=_function.params,
        domain=_function.domain)  # fmt: skip
    FUNCTIONS[_name] = replace(_function, gradient=chain(f"{_name}Gradient 0 g"))
