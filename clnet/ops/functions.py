"""The table of elementwise functions: one row each, used alone, fused, and behind other ops.

``code`` is OpenCL C over ``{0}``, ``{1}``… (arguments of type ``{T}``) and the row's parameters by
name; it must hold for scalars and, where ``vector`` is True, for vectors too. ``numpy`` is the
reference: called with the arrays, then the parameters by name. Functions whose result is "bool"
give 0 or 1. ``gradient`` builds d loss/d arguments from (build, inputs, output, grad).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Function:
    """One row of the table."""

    name: str
    arity: int
    code: str
    numpy: Callable[..., Any]
    params: Mapping[str, float | int] = field(default_factory=dict)  # name → default
    onnx: Mapping[str, str] = field(default_factory=dict)  # ONNX attribute → parameter
    result: str = "same"  # "same": the arguments' dtype; "bool"
    vector: bool = True
    gradient: Callable[..., Any] | None = None


FUNCTIONS: dict[str, Function] = {}


def row(name: str, arity: int, code: str, reference: Callable[..., Any], **rest: Any) -> None:
    """Add a row to the table."""
    FUNCTIONS[name] = Function(name, arity, code, reference, **rest)


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if np.issubdtype(a.dtype, np.integer):  # truncates, as C and ONNX do
        return (np.sign(a) * np.sign(b) * (abs(a) // abs(b))).astype(a.dtype)
    return a / b


row("Add", 2, "{0} + {1}", lambda a, b: a + b)
row("Sub", 2, "{0} - {1}", lambda a, b: a - b)
row("Mul", 2, "{0} * {1}", lambda a, b: a * b)
row("Div", 2, "{0} / {1}", _divide)
row("Relu", 1, "max({0}, ({T})0)", lambda x: np.maximum(x, 0))
row("Tanh", 1, "tanh({0})", np.tanh)
row("Sigmoid", 1, "({T})1 / (({T})1 + exp(-{0}))", lambda x: 1 / (1 + np.exp(-x)))
row(
    "LeakyRelu", 1, "({0} < ({T})0 ? {0} * ({T}){alpha} : {0})",
    lambda x, alpha: np.where(x < 0, x * alpha, x).astype(x.dtype),
    params={"alpha": 0.01}, onnx={"alpha": "alpha"},
)  # fmt: skip
