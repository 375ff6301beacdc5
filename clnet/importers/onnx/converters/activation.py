"""Activations with optional inputs or variants."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.elementwise import elementwise


@converter("Clip")
def clip(node: OnnxNode) -> Any:
    """Limits are attributes before opset 11, then inputs; computed ones become Max and Min."""
    x = node.input()
    if node.opset < 11:
        limits = {n: node.real(n) for n in ("min", "max") if node.has_attribute(n)}
        return node.add(elementwise("Clip", **limits), x)
    low, high = node.optional(1), node.optional(2)
    given = [v for v in (low, high) if v is not None]
    if x.spec.is_float and all(v.is_constant and v.spec.size == 1 for v in given):
        limits = {}
        if low is not None:
            limits["min"] = float(node.scalar(1))
        if high is not None:
            limits["max"] = float(node.scalar(2))
        return node.add(elementwise("Clip", **limits), x)
    result = x if low is None else node.add(elementwise("Max"), x, low)
    return result if high is None else node.add(elementwise("Min"), result, high)


@converter("Gelu")
def gelu(node: OnnxNode) -> Any:
    exact = node.text("approximate", "none", "tanh") == "none"
    return node.add(elementwise("Gelu" if exact else "GeluTanh"), node.input())


@converter("Trilu")
def triangle(node: OnnxNode) -> Any:
    """The upper or lower triangle of matrices; zeros elsewhere."""
    x = node.input()
    ones = np.ones(x.spec.shape[-2:], bool)
    k = int(node.scalar(1)) if node.has(1) else 0
    inside = np.triu(ones, k) if node.flag("upper", True) else np.tril(ones, k)
    zero: Value = node.constant(0, x.spec.dtype)
    return node.add(elementwise("Where"), node.constant(inside), x, zero)
