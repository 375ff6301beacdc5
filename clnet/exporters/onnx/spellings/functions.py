"""Elementwise functions: most are ONNX's own, the others a few of those."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter, has_op
from clnet.ops.elementwise import Elementwise
from clnet.ops.expression import Expression, Step

#: Adds the nodes for one function: of (writer, names of its arguments, their dtype, parameters).
Function = Callable[..., str]


@spelling(Elementwise)
def elementwise(write: NodeWriter) -> str:
    dtypes = [write.spec(i).dtype for i in range(len(write.inputs))]
    return spell_expression(write, write.op.expression, write.inputs, *dtypes)


def spell_expression(
    write: NodeWriter, expression: Expression, inputs: Sequence[str], *dtypes: str
) -> str:
    """Step by step; ``dtypes`` of the inputs, of which the last holds for all that follow."""
    given = [*dtypes, *dtypes[-1:] * (len(inputs) - len(dtypes))]
    known, types = list(inputs), expression.dtypes(given)
    for step in expression.steps:
        arguments = [known[a] for a in step.args]
        known.append(_step(write, step, arguments, types[step.args[-1]]))
    return known[-1]


def _step(write: NodeWriter, step: Step, arguments: Sequence[str], dtype: str) -> str:
    params = dict(step.params)
    if step.function in _SPECIAL:
        return _SPECIAL[step.function](write, arguments, dtype, **params)
    if not has_op(step.function):
        raise write.unsupported(step.function)
    attributes = {foreign: params[own] for foreign, own in step.row.onnx.items()}
    return write.add(step.function, *arguments, **attributes)


def _scale(write: NodeWriter, x: Sequence[str], dtype: str, factor: float) -> str:
    return write.add("Mul", *x, write.constant(factor, dtype))


def _offset(write: NodeWriter, x: Sequence[str], dtype: str, offset: float) -> str:
    return write.add("Add", *x, write.constant(offset, dtype))


def _affine(write: NodeWriter, x: Sequence[str], dtype: str, alpha: float, beta: float) -> str:
    return _offset(write, [_scale(write, x, dtype, alpha)], dtype, beta)


def _relu(write: NodeWriter, x: Sequence[str], dtype: str) -> str:
    """ONNX's own is not for unsigned numbers."""
    return write.add("Identity" if dtype.startswith("uint") else "Relu", *x)


def _clip(write: NodeWriter, x: Sequence[str], dtype: str, min: float, max: float) -> str:
    low = write.constant(_saturated(min, dtype), dtype) if min > -np.inf else ""
    high = write.constant(_saturated(max, dtype), dtype) if max < np.inf else ""
    return write.add("Clip", *x, low, high)


def _saturated(number: float, dtype: str) -> float:
    if not np.issubdtype(dtype, np.integer):
        return number
    return int(np.clip(number, np.iinfo(dtype).min, np.iinfo(dtype).max))


def _round_away(write: NodeWriter, x: Sequence[str], dtype: str) -> str:
    """sign(x) floor(|x| + 1/2)"""
    raised = write.add("Add", write.add("Abs", *x), write.constant(0.5, dtype))
    return write.add("Mul", write.add("Sign", *x), write.add("Floor", raised))


def _mod(write: NodeWriter, x: Sequence[str], dtype: str, fmod: int) -> str:
    """Of floats ONNX's own has the sign of the dividend only: x - y floor(x / y)."""
    if fmod or np.issubdtype(dtype, np.integer):
        return write.add("Mod", *x, fmod=fmod)
    whole = write.add("Floor", write.add("Div", *x))
    return write.add("Sub", x[0], write.add("Mul", x[1], whole))


def _swish(write: NodeWriter, x: Sequence[str], dtype: str, alpha: float) -> str:
    inner = x[0] if alpha == 1 else write.add("Mul", *x, write.constant(alpha, dtype))
    return write.add("Mul", *x, write.add("Sigmoid", inner))


def _gelu(write: NodeWriter, x: Sequence[str], dtype: str) -> str:
    """x (1 + erf(x / sqrt 2)) / 2"""
    scaled = write.add("Mul", *x, write.constant(0.5**0.5, dtype))
    return _halved(write, x[0], write.add("Erf", scaled), dtype)


def _gelu_tanh(write: NodeWriter, x: Sequence[str], dtype: str) -> str:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))) / 2"""
    cube = write.add("Mul", write.add("Mul", *x, *x), *x)
    cubic = write.add("Mul", cube, write.constant(0.044715, dtype))
    inner = write.add("Mul", write.add("Add", *x, cubic), write.constant((2 / np.pi) ** 0.5, dtype))
    return _halved(write, x[0], write.add("Tanh", inner), dtype)


def _halved(write: NodeWriter, x: str, gate: str, dtype: str) -> str:
    gate = write.add("Add", gate, write.constant(1, dtype))
    return write.add("Mul", write.add("Mul", x, write.constant(0.5, dtype)), gate)


def _is_infinite(write: NodeWriter, x: Sequence[str], dtype: str, **params: int) -> str:
    if dtype == "float16":
        write.require(20)
    names = {f"detect_{sign}": params[f"detect_{sign}"] for sign in ("negative", "positive")}
    return write.add("IsInf", *x, **names)


def _shift(direction: str) -> Function:
    def shift(write: NodeWriter, x: Sequence[str], dtype: str) -> str:
        if not dtype.startswith("uint"):
            raise write.unsupported(f"shift of {dtype}")
        return write.add("BitShift", *x, direction=direction)

    return shift


_SPECIAL: dict[str, Function] = {
    "Scale": _scale,
    "Shift": _offset,
    "Affine": _affine,
    "Relu": _relu,
    "Clip": _clip,
    "RoundAway": _round_away,
    "Mod": _mod,
    "Swish": _swish,
    "Gelu": _gelu,
    "GeluTanh": _gelu_tanh,
    "IsInf": _is_infinite,
    "BitShiftLeft": _shift("LEFT"),
    "BitShiftRight": _shift("RIGHT"),
}
