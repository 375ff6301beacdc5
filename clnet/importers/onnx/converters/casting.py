"""Casts, and values on the grids of types that are narrower than the dtype they have here."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto

from clnet.errors import UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.narrow import FORMATS, INTEGERS
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.importers.onnx.tensors import dtype_of
from clnet.ops.bit_cast import BitCast
from clnet.ops.cast import Cast
from clnet.ops.elementwise import elementwise
from clnet.ops.reshape import Reshape


@converter("Cast")
def cast(node: OnnxNode) -> Value:
    if node.opset >= 6:
        return as_element(node, node.input(), node.integer("to"))
    name = node.any_text("to")
    if name not in dict(TensorProto.DataType.items()):
        raise UnsupportedError(f"a cast to {name[:40]!r}")
    return as_element(node, node.input(), TensorProto.DataType.Value(name))


@converter("CastLike")
def cast_like(node: OnnxNode) -> Value:
    return as_element(node, node.input(), node.element_of(node.input(1)))


@converter("BitCast")
def bit_cast(node: OnnxNode) -> Any:
    return node.add(BitCast(node.dtype("to")), node.input())


def as_dtype(node: OnnxNode, value: Value, dtype: str) -> Value:
    """The value in another dtype; real numbers that were rounded need no cast back."""
    if value.spec.dtype == dtype:
        return value
    before = node.importer.rounded.get(value)
    if before is not None and before.spec.dtype == dtype:
        return before
    result: Value = node.add(Cast(dtype), value)
    return result


def as_element(node: OnnxNode, x: Value, element: int) -> Value:
    """The value as one of ONNX's element types."""
    if node.element_of(x) == element:
        return x
    dtype = dtype_of(element)
    if element in INTEGERS:
        return node.importer.of_element(_lowest_bits(node, x, *INTEGERS[element]), element)
    if element in FORMATS:
        exact = as_dtype(node, x, dtype)
        return node.importer.of_element(to_format(node, exact, element), element)
    if element == TensorProto.FLOAT8E8M0:
        return node.importer.of_element(_power_of_two(node, as_dtype(node, x, dtype)), element)
    result = as_dtype(node, x, dtype)
    if result in node.importer.elements:  # the same numbers, but no longer of a narrower type
        result = node.add(Reshape(result.spec.shape), result)
    return result


def to_format(node: OnnxNode, x: Value, element: int) -> Value:
    """float32 numbers rounded to those of a narrower type."""
    form = FORMATS[element]
    limited = element != TensorProto.BFLOAT16 and node.flag("saturate", True)
    beyond = form.high if limited else form.beyond
    op = elementwise("ToFormat", bits=form.bits, low=form.low, high=form.high, beyond=beyond)
    result: Value = node.add(op, x)
    return result


def _lowest_bits(node: OnnxNode, x: Value, bits: int, signed: bool) -> Value:
    """Integers of a few bits; what does not fit loses its upper ones."""
    wide = as_dtype(node, x, "int32")
    distance = node.constant(32 - bits, "int32")
    if signed:
        upper = node.add(elementwise("BitShiftLeft"), wide, distance)
        return as_dtype(node, node.add(elementwise("BitShiftRight"), upper, distance), "int8")
    mask = node.constant((1 << bits) - 1, "int32")
    return as_dtype(node, node.add(elementwise("BitwiseAnd"), wide, mask), "uint8")


def _power_of_two(node: OnnxNode, x: Value) -> Value:
    """Powers of two, from the smallest on that there is."""
    mode = node.text("round_mode", "up", "down", "nearest")
    smallest, largest = 2.0**-127, 2.0**127
    lifted = node.add(elementwise("Max"), x, node.constant(smallest, "float32"))
    op = elementwise("ToFormat", bits=1, low=-127, high=largest, beyond=largest)
    nearest: Value = node.add(op, lifted)
    if mode == "nearest":
        return nearest
    operands = (nearest, lifted) if mode == "up" else (lifted, nearest)
    missed = node.add(elementwise("Less"), *operands)
    other = node.add(elementwise("Scale", factor=2.0 if mode == "up" else 0.5), nearest)
    result: Value = node.add(elementwise("Where"), missed, other, nearest)
    return result
