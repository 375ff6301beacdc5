"""Elementwise functions: arithmetic, comparison, logic, activations."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import ALL, converter
from clnet.ops.cast import Cast
from clnet.ops.reshape import Reshape

#: Rows of clnet's table of functions, by operator: those of real numbers, and those that may be
#: applied to quantised ones because f(s * x) = s * f(x) for any positive s.
_SAME = {
    "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "POW": "Pow", "FLOOR_MOD": "Mod",
    "EXP": "Exp", "LOG": "Log", "SQRT": "Sqrt", "SIN": "Sin", "COS": "Cos", "FLOOR": "Floor",
    "CEIL": "Ceil", "ROUND": "Round", "SIGN": "Sign",
    "LOGISTIC": "Sigmoid", "TANH": "Tanh", "ELU": "Elu", "HARD_SWISH": "HardSwish",
    "EQUAL": "Equal", "LESS": "Less", "LESS_EQUAL": "LessOrEqual", "GREATER": "Greater",
    "GREATER_EQUAL": "GreaterOrEqual", "LOGICAL_AND": "And", "LOGICAL_OR": "Or",
    "LOGICAL_NOT": "Not", "BITWISE_XOR": "BitwiseXor",
}  # fmt: skip
_LINEAR = {"NEG": "Neg", "ABS": "Abs"}
_EXACT = {"RELU": "Relu", "MAXIMUM": "Max", "MINIMUM": "Min"}
_ROWS = {**_SAME, **_LINEAR, **_EXACT}


def by_table(node: TfliteNode) -> Any:
    return node.apply(_ROWS[node.name], *node.all_inputs())


for _names, _linear, _exact in (
    (_SAME, (), False), (_LINEAR, (ALL,), False), (_EXACT, (ALL,), True)
):  # fmt: skip
    converter(*_names, linear=_linear, exact=_exact)(by_table)


@converter("NOT_EQUAL")
def not_equal(node: TfliteNode) -> Any:
    return node.apply("Not", node.apply("Equal", node.input(0), node.input(1)))


@converter("ADD_N")
def sum_of_all(node: TfliteNode) -> Any:
    return reduce(lambda a, b: node.apply("Add", a, b), node.all_inputs())


@converter("SQUARE")
def square(node: TfliteNode) -> Any:
    return node.apply("Mul", node.input(), node.input())


@converter("SQUARED_DIFFERENCE")
def squared_difference(node: TfliteNode) -> Any:
    difference = node.apply("Sub", node.input(0), node.input(1))
    return node.apply("Mul", difference, difference)


@converter("RSQRT")
def reciprocal_root(node: TfliteNode) -> Any:
    return node.apply("Reciprocal", node.apply("Sqrt", node.input()))


@converter("FLOOR_DIV")
def floor_division(node: TfliteNode) -> Any:
    """Integers: what is left of a multiple of the divisor divides without rest."""
    a, b = node.input(0), node.input(1)
    if a.spec.is_float:
        return node.apply("Floor", node.apply("Div", a, b))
    return node.apply("Div", node.apply("Sub", a, node.apply("Mod", a, b)), b)


@converter("RELU6")
def relu6(node: TfliteNode) -> Any:
    return node.apply("Clip", node.input(), min=0.0, max=6.0)


@converter("RELU_N1_TO_1")
def relu_n1_to_1(node: TfliteNode) -> Any:
    return node.apply("Clip", node.input(), min=-1.0, max=1.0)


@converter("RELU_0_TO_1")
def relu_0_to_1(node: TfliteNode) -> Any:
    return node.apply("Clip", node.input(), min=0.0, max=1.0)


@converter("LEAKY_RELU", linear=(0,))
def leaky_relu(node: TfliteNode) -> Any:
    return node.apply("LeakyRelu", node.input(), alpha=node.option("Alpha", 0.0))


@converter("PRELU", linear=(0,))
def parametric_relu(node: TfliteNode) -> Any:
    return node.apply("PRelu", node.input(0), node.input(1))


@converter("GELU")
def gelu(node: TfliteNode) -> Any:
    return node.apply("GeluTanh" if node.option("Approximate", False) else "Gelu", node.input())


@converter("SELECT", "SELECT_V2")
def select(node: TfliteNode) -> Any:
    """The older form may choose whole rows by a list of conditions."""
    condition, x, y = (node.input(i) for i in range(3))
    if node.name == "SELECT" and condition.spec.rank == 1 and x.spec.rank > 1:
        if condition.spec.shape[0] != x.spec.shape[0]:
            raise ModelError(f"{condition.spec} conditions for the rows of {x.spec}")
        shape = (*condition.spec.shape, *(1,) * (x.spec.rank - 1))
        condition = node.add(Reshape(shape), condition)
    return node.apply("Where", condition, x, y)


@converter("CAST")
def cast(node: TfliteNode) -> Any:
    """Of quantised numbers the stored ones are cast, which are the real ones on one grid only."""
    x = node.input()
    quantization = node.importer.model.tensors[node.operator.inputs[0]].quantization
    if quantization is not None and (quantization.scales != 1).any():
        raise UnsupportedError("a cast of quantised numbers")
    return as_dtype(node, x, node.importer.dtype(node.operator.outputs[0]))


@converter("QUANTIZE", "DEQUANTIZE", linear=(0,))
def change_of_scale(node: TfliteNode) -> Any:
    """Between real and quantised numbers, which is what happens to any output."""
    x = node.input()
    return as_dtype(node, x, "float32") if x.spec.dtype == "float16" else x


@converter("FAKE_QUANT")
def fake_quantization(node: TfliteNode) -> Any:
    """Real numbers on the grid of a quantisation that training foresaw. The limits move a little,
    so that zero is on it."""
    bits = node.option("NumBits")
    if not 2 <= bits <= 16:
        raise ModelError(f"quantised to {bits} bits")
    first, last = (1 if node.option("NarrowRange") else 0), (1 << bits) - 1
    low, high = (min(node.option("Min"), 0.0), max(node.option("Max"), 0.0))
    if not 0 < high - low < math.inf:
        raise ModelError(f"quantised between {low} and {high}")
    scale = np.float32((high - low) / (last - first))
    zero = min(max(round(first - low / float(scale)), first), last)
    step = node.constant(scale)
    codes = node.apply("Round", node.apply("Div", node.input(), step))
    clipped = node.apply("Clip", codes, min=float(first - zero), max=float(last - zero))
    return node.apply("Mul", clipped, step)


@converter("DENSIFY", linear=(0,), exact=True)
def densify(node: TfliteNode) -> Any:
    """Sparse constants are read in full already."""
    return node.input()


def as_dtype(node: TfliteNode, value: Value, dtype: str) -> Value:
    """The value in another dtype."""
    if value.spec.dtype == dtype:
        return value
    result: Value = node.add(Cast(np.dtype(dtype).name), value)
    return result
