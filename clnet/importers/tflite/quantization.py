"""Quantised tensors: between the integers at a model's edge and the codes inside the graph."""

from __future__ import annotations

import numpy as np

from clnet.graph import GraphBuilder, Value
from clnet.importers.tflite.model import Quantization
from clnet.importers.tflite.node import TfliteNode
from clnet.ops.cast import Cast
from clnet.ops.elementwise import elementwise

#: dtypes of quantised activations. int32 with a scale is a bias.
QUANTIZED = ("int8", "uint8", "int16")

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


def requantized(node: TfliteNode, value: Value, factor: float, limits: Limits) -> Value:
    """``factor`` times the value, rounded and clamped to the codes that there are.

    Halves go to the even neighbour, as in the vectorised kernels of TensorFlow Lite; its portable
    ones round them away from zero.
    """
    if factor != 1:
        value = node.apply("Mul", value, node.constant(factor, "float32"))
    value = node.apply("Round", value)
    clamped: Value = node.apply("Clip", value, min=limits[0], max=limits[1])
    return clamped
