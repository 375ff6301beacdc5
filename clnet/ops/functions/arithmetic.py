"""Arithmetic: powers, roots, rounding, trigonometry, bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from clnet.ops.functions.gradients import chain
from clnet.ops.functions.table import INTEGER, NUMBER, row

# Integers: the CPU traps division by zero and the smallest number over -1. Both get a defined
# result (0, as NumPy has it, and the wrapped quotient). Unsigned types fold the second test away.
_SIGNED_MINUS_ONE = "(({T})-1 < ({T})0 && {1} == ({T})-1)"
_INTEGER_DIVIDE = (
    "({1} == ({T})0 ? ({T})0 : " + _SIGNED_MINUS_ONE + " ? ({T})(({T})0 - {0}) : ({T})({0} / {1}))"
)
_INTEGER_REST = "({1} == ({T})0 || " + _SIGNED_MINUS_ONE + " ? ({T})0 : ({T})({0} % {1}))"
# C's remainder {r} has the dividend's sign; without fmod it gets the divisor's, as in Python.
_MOD = "(!{fmod} && {r} != ({T})0 && ({r} < ({T})0) != ({1} < ({T})0) ? {r} + {1} : {r})"


_erf = np.vectorize(math.erf, otypes=[np.float64])


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, which NumPy lacks."""
    return _erf(x).astype(x.dtype)


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if np.issubdtype(a.dtype, np.integer):  # truncates, as C and ONNX do
        quotient = a // b
        return quotient + ((a % b != 0) & ((a < 0) != (b < 0)))
    return a / b


def _mod(a: np.ndarray, b: np.ndarray, fmod: int) -> np.ndarray:
    return np.fmod(a, b) if fmod else np.mod(a, b)


def _to_format(x: np.ndarray, bits: int, low: int, high: float, beyond: float) -> np.ndarray:
    finite = np.where(np.isfinite(x), x, 0)
    exponent = np.maximum(np.frexp(finite)[1] - 1, low) + 1 - bits
    rounded = np.where(np.isfinite(x), np.ldexp(np.rint(np.ldexp(finite, -exponent)), exponent), x)
    return np.where(np.abs(rounded) > high, np.copysign(beyond, x), rounded)


def _power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if np.issubdtype(a.dtype, np.integer):  # negative exponents truncate
        whole = np.where(b < 0, 0, b).astype(a.dtype)
        exact = np.power(a, whole)
        odd = np.where(a == -1, np.where(b % 2 == 0, 1, -1), 0)
        return np.where(b < 0, np.where(a == 1, 1, odd), exact)
    return np.power(a, b)


row("Add", 2, "{0} + {1}", lambda a, b: a + b, dtypes=NUMBER, gradient=chain("g", "g"))
row("Sub", 2, "{0} - {1}", lambda a, b: a - b, dtypes=NUMBER, gradient=chain("g", "Neg g"))
row("Mul", 2, "{0} * {1}", lambda a, b: a * b, dtypes=NUMBER, gradient=chain("Mul g 1", "Mul g 0"))
row("Div", 2, "{0} / {1}", _divide, integer=_INTEGER_DIVIDE, dtypes=NUMBER,
    gradient=chain("Div g 1", "DivGradient y 1 g"))  # fmt: skip
row("DivGradient", 3, "-{2} * {0} / {1}", lambda y, b, g: -g * y / b, domain=(0.3, 3.0))
row("Mod", 2, _MOD.replace("{r}", "fmod({0}, {1})"), _mod, params={"fmod": 0}, vector=False,
    integer=_MOD.replace("{r}", _INTEGER_REST), dtypes=NUMBER)  # fmt: skip
row("Pow", 2, "pow({0}, {1})", _power, integer="integer_power({0}, {1})", dtypes=NUMBER,
    domain=(0.0, 3.0), gradient=chain("PowGradient 0 1 g", "ExponentGradient 0 y g"))  # fmt: skip
row("PowGradient", 3, "{2} * {1} * pow({0}, {1} - ({T})1)",
    lambda a, b, g: g * b * np.power(a, b - 1), domain=(0.3, 3.0))  # fmt: skip
row("ExponentGradient", 3, "({0} > ({T})0 ? {2} * {1} * log({0}) : ({T})0)",
    lambda a, y, g: np.where(a > 0, g * y * np.log(np.where(a > 0, a, 1)), 0))  # fmt: skip
row("Min", 2, "({0} < {1} | {0} != {0} ? {0} : {1})", np.minimum, dtypes=NUMBER,
    gradient=chain("IfAtMost 0 1 g", "IfLess 1 0 g"))  # fmt: skip
row("Max", 2, "({0} > {1} | {0} != {0} ? {0} : {1})", np.maximum, dtypes=NUMBER,
    gradient=chain("IfAtMost 1 0 g", "IfLess 0 1 g"))  # fmt: skip
# Where both are equal, the first argument of Min and Max gets all of the gradient.
row("IfAtMost", 3, "({0} <= {1} ? {2} : ({T})0)", lambda a, b, g: np.where(a <= b, g, 0))
row("IfLess", 3, "({0} < {1} ? {2} : ({T})0)", lambda a, b, g: np.where(a < b, g, 0))

row("Scale", 1, "{0} * ({T}){factor}", lambda x, factor: x * factor, params={"factor": 1.5},
    gradient=chain("Scale g"))  # fmt: skip
row("Shift", 1, "{0} + ({T}){offset}", lambda x, offset: x + offset, params={"offset": 0.5},
    gradient=chain("g"))  # fmt: skip
row("Abs", 1, "fabs({0})", np.abs, integer="({0} < ({T})0 ? -{0} : {0})", dtypes=NUMBER,
    gradient=chain("AbsGradient 0 g"))  # fmt: skip
row("Neg", 1, "-{0}", np.negative, dtypes=NUMBER, gradient=chain("Neg g"))
row("Sign", 1, "({0} > ({T})0 ? ({T})1 : {0} < ({T})0 ? ({T})-1 : {0})", np.sign, dtypes=NUMBER)
row("Exp", 1, "exp({0})", np.exp, gradient=chain("Mul g y"))
row("Log", 1, "log({0})", np.log, domain=(-0.5, 4.0), gradient=chain("Div g 0"))
row("Sqrt", 1, "sqrt({0})", np.sqrt, domain=(-0.5, 4.0), gradient=chain("SqrtGradient y g"))
row("Reciprocal", 1, "({T})1 / {0}", lambda x: 1 / x, domain=(0.3, 3.0),
    gradient=chain("ReciprocalGradient y g"))  # fmt: skip
row("AbsGradient", 2, "({0} < ({T})0 ? -{1} : {0} > ({T})0 ? {1} : {0} * {1})",
    lambda x, g: np.sign(x) * g)  # fmt: skip
row("SqrtGradient", 2, "{1} / (({T})2 * {0})", lambda y, g: g / (2 * y), domain=(0.3, 2.0))
row("ReciprocalGradient", 2, "-{1} * {0} * {0}", lambda y, g: -g * y * y)
row("Floor", 1, "floor({0})", np.floor)
row("Ceil", 1, "ceil({0})", np.ceil)
row("Round", 1, "rint({0})", np.rint)  # halves to even
row("RoundAway", 1, "round({0})",  # halves away from zero
    lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x))  # fmt: skip
_EXPONENT = "max(ilogb({0}), {low})"
_TO_FORMAT = f"ldexp(rint(ldexp({{0}}, {{bits}} - 1 - {_EXPONENT})), {_EXPONENT} + 1 - {{bits}})"
row("ToFormat", 1,  # to so many significant bits, evenly spaced below the power of two `low`
    f"(fabs({_TO_FORMAT}) > ({{T}}){{high}} ? copysign(({{T}}){{beyond}}, {{0}}) : {_TO_FORMAT})",
    _to_format, params={"bits": 4, "low": -6, "high": 448.0, "beyond": 448.0},
    vector=False, domain=(-600.0, 600.0))  # fmt: skip
row("Erf", 1, "erf({0})", erf)

row("Sin", 1, "sin({0})", np.sin)
row("Cos", 1, "cos({0})", np.cos)
row("Tan", 1, "tan({0})", np.tan, domain=(-1.2, 1.2))
row("Asin", 1, "asin({0})", np.arcsin, domain=(-1.1, 1.1))
row("Acos", 1, "acos({0})", np.arccos, domain=(-1.1, 1.1))
row("Atan", 1, "atan({0})", np.arctan)
row("Sinh", 1, "sinh({0})", np.sinh)
row("Cosh", 1, "cosh({0})", np.cosh)
row("Asinh", 1, "asinh({0})", np.arcsinh)
row("Acosh", 1, "acosh({0})", np.arccosh, domain=(0.9, 4.0))
row("Atanh", 1, "atanh({0})", np.arctanh, domain=(-0.95, 0.95))

_BITS: dict[str, tuple[str, Callable[..., Any]]] = {
    "BitwiseAnd": ("{0} & {1}", np.bitwise_and),
    "BitwiseOr": ("{0} | {1}", np.bitwise_or),
    "BitwiseXor": ("{0} ^ {1}", np.bitwise_xor),
    # Shifts by a negative number or the whole width push every bit out.
    "BitShiftLeft": ("({1} < 8 * sizeof({T}) ? {0} << {1} : 0)", np.left_shift),
    "BitShiftRight": ("({1} < 8 * sizeof({T}) ? {0} >> {1} : -({0} < 0))", np.right_shift),
}
for _name, (_code, _function) in _BITS.items():
    row(_name, 2, _code, _function, vector=False, dtypes=INTEGER)
row("BitwiseNot", 1, "~{0}", np.invert, vector=False, dtypes=INTEGER)
