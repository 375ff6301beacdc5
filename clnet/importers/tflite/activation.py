"""Activations that are fused to other operators."""

from __future__ import annotations

import math

import numpy as np

from clnet.errors import UnsupportedError
from clnet.graph import Value
from clnet.importers.tflite.model import Quantization
from clnet.importers.tflite.node import TfliteNode
from clnet.ops.expression import Expression

_NAMES = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
#: Those that only clamp, and where.
_LIMITS = {"NONE": (-math.inf, math.inf), "RELU": (0.0, math.inf), "RELU_N1_TO_1": (-1.0, 1.0),
           "RELU6": (0.0, 6.0)}  # fmt: skip


def activate(node: TfliteNode, value: Value, number: int) -> Value:
    """The activation of that number, applied to real numbers."""
    name = _name(number)
    result = value
    if name == "RELU":
        result = node.apply("Relu", value)
    elif name == "TANH":
        result = node.apply("Tanh", value)
    elif name == "SIGN_BIT":
        zero = node.constant(0, value.spec.dtype)
        ones = (node.constant(n, value.spec.dtype) for n in (1, 0))
        result = node.apply("Where", node.apply("Less", value, zero), *ones)
    elif name != "NONE":
        low, high = _LIMITS[name]
        result = node.apply("Clip", value, min=low, max=high)
    return result


def expression(number: int) -> Expression:
    """The activation of that number as part of another op."""
    name = _name(number)
    if name in ("RELU", "TANH"):
        return Expression.of(name.capitalize())
    if name not in _LIMITS:
        raise UnsupportedError(f"the activation {name} of a recurrent layer")
    low, high = _LIMITS[name]
    return Expression.of("Clip", min=low, max=high) if name != "NONE" else Expression(1)


def bounds(quantization: Quantization, dtype: str, number: int) -> tuple[float, float]:
    """The codes between which a quantised tensor stays behind the activation of that number."""
    name = _name(number)
    if name not in _LIMITS:
        raise UnsupportedError(f"the activation {name} of a quantised operator")
    stored = np.iinfo(dtype)
    low, high = (round(v / quantization.scale) if math.isfinite(v) else v for v in _LIMITS[name])
    zero = quantization.zero_point
    return max(stored.min - zero, low), min(stored.max - zero, high)


def _name(number: int) -> str:
    if not 0 <= number < len(_NAMES):
        raise UnsupportedError(f"the fused activation {number} is not known")
    return _NAMES[number]
