"""What a row of the table is.

``code`` is OpenCL C over ``{0}``, ``{1}``… (arguments of type ``{T}``, the last argument's) and the
row's parameters by name; it must hold for scalars and, where ``vector`` is True, for vectors too:
no literal without a cast to ``{T}``, comparisons only under ``?:``. ``numpy`` is the reference:
called with the arrays, then the parameters by name. Functions whose result is "bool" give 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# What tests apply a row to; other widths only change the C type.
FLOAT = ("float32",)
INTEGER = ("int32", "uint8")
NUMBER = (*FLOAT, *INTEGER)
BOOL = ("bool",)


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
    #: The code where the arguments are integers, if it differs.
    integer: str = ""
    #: dtypes and the range of values that tests apply the function to.
    dtypes: tuple[str, ...] = FLOAT
    domain: tuple[float, float] = (-3.0, 3.0)
    #: Builds d loss/d arguments from (build, inputs, output, grad, **params), before any sum over
    #: broadcast axes; None where an argument has no gradient.
    gradient: Callable[..., tuple[Any, ...]] | None = None


FUNCTIONS: dict[str, Function] = {}


def row(name: str, arity: int, code: str, reference: Callable[..., Any], **rest: Any) -> None:
    """Add a row to the table. Parameters are named as ONNX names them unless ``onnx`` differs."""
    rest.setdefault("onnx", {p: p for p in rest.get("params", {})})
    FUNCTIONS[name] = Function(name, arity, code, reference, **rest)
