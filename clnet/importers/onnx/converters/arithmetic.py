"""Elementwise functions that take any number of inputs, mixed dtypes, or two meanings."""

from __future__ import annotations

from functools import reduce
from typing import Any

from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.cast import Cast
from clnet.ops.elementwise import elementwise

_PAIRWISE = {"Sum": "Add", "Mean": "Add", "Min": "Min", "Max": "Max"}


@converter(*_PAIRWISE)
def variadic(node: OnnxNode) -> Any:
    """Pairwise from the left; the mean divides at the end."""
    op = elementwise(_PAIRWISE[node.op_type])
    inputs = node.all_inputs()
    result: Value = reduce(lambda a, b: node.add(op, a, b), inputs)
    if node.op_type == "Mean" and len(inputs) > 1:
        count = node.constant(len(inputs), result.spec.dtype)
        result = node.add(elementwise("Div"), result, count)
    return result


@converter("Pow")
def power(node: OnnxNode) -> Any:
    """The result has the base's dtype; of mixed dtypes the floating one computes."""
    base, exponent = node.input(0), node.input(1)
    dtype = base.spec.dtype
    if exponent.spec.dtype == dtype:
        return node.add(elementwise("Pow"), base, exponent)
    meeting = exponent.spec.dtype if not base.spec.is_float and exponent.spec.is_float else dtype
    result = node.add(elementwise("Pow"), *(_as(node, v, meeting) for v in (base, exponent)))
    return _as(node, result, dtype)


@converter("BitShift")
def bit_shift(node: OnnxNode) -> Any:
    direction = node.text("direction", "LEFT", "RIGHT").title()
    return node.add(elementwise(f"BitShift{direction}"), node.input(0), node.input(1))


def _as(node: OnnxNode, value: Value, dtype: str) -> Any:
    return value if value.spec.dtype == dtype else node.add(Cast(dtype), value)
