"""Comparisons, logic and choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from clnet.ops.functions.table import BOOL, FLOAT, NUMBER, row

_COMPARISONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "Equal": ("==", np.equal),
    "Less": ("<", np.less),
    "LessOrEqual": ("<=", np.less_equal),
    "Greater": (">", np.greater),
    "GreaterOrEqual": (">=", np.greater_equal),
}
_LOGIC: dict[str, tuple[str, Callable[..., Any]]] = {
    "And": ("&&", np.logical_and),
    "Or": ("||", np.logical_or),
    "Xor": ("!=", np.logical_xor),
}
for _rows, _dtypes in ((_COMPARISONS, NUMBER), (_LOGIC, BOOL)):
    for _name, (_sign, _function) in _rows.items():
        row(_name, 2, f"{{0}} {_sign} {{1}}", _function, result="bool", vector=False,
            dtypes=_dtypes)  # fmt: skip
row("Not", 1, "!{0}", np.logical_not, result="bool", vector=False, dtypes=BOOL)


def _is_infinite(x: np.ndarray, detect_negative: int, detect_positive: int) -> np.ndarray:
    return (np.isposinf(x) & bool(detect_positive)) | (np.isneginf(x) & bool(detect_negative))


row("IsNaN", 1, "{0} != {0}", np.isnan, result="bool", vector=False, dtypes=FLOAT)
row("IsInf", 1,
    "(({0} == ({T})INFINITY && {detect_positive}) || ({0} == -({T})INFINITY && {detect_negative}))",
    _is_infinite, params={"detect_negative": 1, "detect_positive": 1},
    result="bool", vector=False, dtypes=FLOAT)  # fmt: skip


def _where_gradient(build: Any, inputs: Any, output: Any, grad: Any) -> tuple[Any, ...]:
    from clnet.ops.elementwise import elementwise  # it stands above the table

    zero, where = build.constant(np.zeros((), grad.spec.dtype)), elementwise("Where")
    return None, build.add(where, inputs[0], grad, zero), build.add(where, inputs[0], zero, grad)


# The first argument is a truth value whatever the others are.
row("Where", 3, "({0} ? {1} : {2})", np.where, vector=False, dtypes=(*NUMBER, *BOOL),
    gradient=_where_gradient)  # fmt: skip
