"""Quantised tensors in the graph: from the integers at a model's edge to codes and back."""

from __future__ import annotations

import numpy as np

from clnet.graph import GraphBuilder, Value
from clnet.importers.tflite.model import Quantization
from clnet.importers.tflite.node import TfliteNode
from clnet.ops.cast import Cast
from clnet.ops.elementwise import Elementwise, elementwise
from clnet.ops.expression import Expression

Limits = tuple[float, float]


def to_codes(build: GraphBuilder, value: Value, quantization: Quantization | None) -> Value:
    """Stored integers → float32 less the zero point."""
    assert quantization is not None
    codes: Value = build.add(Cast("float32"), value, name=f"{value.name}:codes")
    if quantization.zero_point:
        zero = build.constant(np.float32(quantization.zero_point))
        codes = build.add(elementwise("Sub"), codes, zero, name=f"{value.name}:centred")
    return codes


def from_codes(
    build: GraphBuilder, codes: Value, quantization: Quantization, dtype: str, name: str
) -> Value:
    """Codes → stored integers."""
    if quantization.zero_point:
        zero = build.constant(np.float32(quantization.zero_point))
        codes = build.add(elementwise("Add"), codes, zero, name=f"{name}:stored")
    stored: Value = build.add(Cast(dtype), codes, name=f"{name}:{dtype}")
    return stored


def requantized(
    node: TfliteNode, value: Value, factor: np.ndarray, limits: Limits, zero_point: float
) -> Value:
    """``factor`` (one number, or one per channel) times the value, rounded and clamped to the codes
    that there are. One expression, which no other rewrite takes apart.

    Halves go to the even neighbour, as in the vectorised kernels of TensorFlow Lite. Average pools
    round the stored numbers away from zero; their sums are over few elements, so that many of their
    results are halves.
    """
    operands = [value]
    away = node.name == "AVERAGE_POOL_2D"
    expression = Expression(1)
    if np.any(factor != 1):
        expression = Expression.of("Mul")
        operands.append(node.constant(factor, "float32"))
    for function in ("Add", "RoundAway", "Sub") if away else ("Round",):
        step = Expression.of(function)
        expression = expression.then(step, 0) if expression.steps else step
        operands += [node.constant(zero_point, "float32")] * (step.arity - 1)
    expression = expression.then(Expression.of("Clip", min=limits[0], max=limits[1]), 0)
    result: Value = node.add(Elementwise(expression), *operands)
    return result
