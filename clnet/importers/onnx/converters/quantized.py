"""Quantised tensors: between real numbers and integers, and products of integers.

Integers of up to 16 bits are exact in float32, and so are sums of their products below 2^24: these
ops compute with floats. Where a result is rounded to integers and then read as a real number
again, the numbers before the cast are read (``Importer.rounded``), so that the rounding is fused
behind the op that made them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.onnx.converters.casting import as_dtype, to_format
from clnet.importers.onnx.converters.convolution import window_of
from clnet.importers.onnx.narrow import FORMATS, limits
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.importers.onnx.tensors import dtype_of
from clnet.importers.quantization import split_factors
from clnet.ops.conv import Conv
from clnet.ops.elementwise import Elementwise, elementwise
from clnet.ops.expand import Expand
from clnet.ops.expression import Expression
from clnet.ops.gemm import MatMul
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice

#: Sums of integers up to here are exact in float32.
EXACT = 1 << 24
#: What weights are split by where sums might be larger.
_PART = 16


@converter("QuantizeLinear")
def quantize(node: OnnxNode) -> Any:
    x, zero = as_dtype(node, node.input(0), "float32"), node.optional(2)
    element = node.integer("output_dtype", 0) or TensorProto.UINT8
    if zero is not None:
        element = node.element_of(zero)
    scale = _along(node, as_dtype(node, node.input(1), "float32"), x.spec.shape)
    if element in FORMATS:
        ratio = node.add(elementwise("Div"), x, scale)
        return node.importer.of_element(to_format(node, ratio, element), element)
    shift = None if zero is None else _along(node, as_dtype(node, zero, "float32"), x.spec.shape)
    return rounded(node, x, "Div", scale, shift, element)


def rounded(
    node: OnnxNode, x: Value, function: str, factor: Value, zero: Value | None, element: int
) -> Value:
    """``function`` of x and the factor, rounded, halves to even, plus the zero point, within what
    the type holds. One expression, which no other rewrite takes apart."""
    expression = Expression.of(function).then(Expression.of("Round"), 0)
    operands = [x, factor]
    if zero is not None and not _is_zero(zero):
        expression = expression.then(Expression.of("Add"), 0)
        operands.append(zero)
    low, high = limits(element)
    limited = Expression.of("Clip", min=float(low), max=float(high))
    y = node.add(Elementwise(expression.then(limited, 0)), *operands)
    result = as_dtype(node, y, dtype_of(element))
    if high < EXACT:
        node.importer.rounded[result] = y
    return node.importer.of_element(result, element)


def _is_zero(value: Value) -> bool:
    return value.is_constant and value.data is not None and not np.any(value.data)


@converter("DequantizeLinear")
def dequantize(node: OnnxNode) -> Any:
    x, scale = node.input(0), node.input(1)
    dtype = node.dtype("output_dtype", scale.spec.dtype)
    factors = _along(node, as_dtype(node, scale, "float32"), x.spec.shape)
    zero = node.optional(2)
    if zero is not None:
        zero = _along(node, as_dtype(node, zero, "float32"), x.spec.shape)
    y = node.add(elementwise("Mul"), centred(node, x, zero), factors)
    return as_dtype(node, y, dtype)


def centred(node: OnnxNode, x: Value, zero: Value | None) -> Value:
    """Stored integers less the zero point, as float32."""
    codes = as_dtype(node, x, "float32")
    if zero is None or _is_zero(zero):
        return codes
    result: Value = node.add(elementwise("Sub"), codes, zero)
    return result


def _along(node: OnnxNode, numbers: Value, shape: tuple[int, ...]) -> Value:
    """Scales or zero points in a shape that broadcasts: one for all, one for each index of an axis,
    or one for each block of ``block_size`` along it."""
    spec = numbers.spec
    if spec.size == 1 and spec.rank < 2:
        return _column(node, numbers, 0, 0)
    axis = normalized(node.integer("axis", 1), len(shape))
    if spec.rank == 1 and spec.shape[0] == shape[axis]:
        return _column(node, numbers, axis, len(shape))
    block = min(node.integer("block_size", 0), shape[axis])
    if block < 1 or spec.rank != len(shape) or spec.shape[axis] != -(-shape[axis] // block):
        raise ModelError(f"scales {spec} in blocks of {block} for {list(shape)}")
    before, after = spec.shape[: axis + 1], spec.shape[axis + 1 :]
    apart = node.add(Reshape((*before, 1, *after)), numbers)
    repeated = node.add(Expand((*before, block, *after)), apart)
    whole = node.add(Reshape((*before[:-1], before[-1] * block, *after)), repeated)
    result: Value = node.add(Slice((0,), (shape[axis],), (axis,)), whole)
    return result


def _column(node: OnnxNode, numbers: Value, axis: int, rank: int) -> Value:
    """Numbers, or one alone, along an axis of a tensor of this rank; of rank 0 only one."""
    if numbers.spec.size == 1 or not rank:
        result: Value = node.add(Reshape(()), numbers)
        return result
    shape = tuple(numbers.spec.size if d == axis else 1 for d in range(rank))
    return node.add(Reshape(shape), numbers)


@converter("QLinearConv")
def quantized_convolution(node: OnnxNode) -> Any:
    """Inputs: x, its scale and zero point, weights and theirs, the result's, a bias."""
    x = centred(node, node.input(0), point(node, 2))
    rank = x.spec.rank
    w = centred(node, node.input(3), point(node, 5, 0, rank))
    scales = [as_dtype(node, node.input(i), "float32") for i in (1, 4, 6)]
    column = _column(node, scales[1], 0, rank)
    x_scale, y_scale = (_column(node, s, 0, 1) for s in (scales[0], scales[2]))
    products = node.add(elementwise("Mul"), x_scale, column)
    factors = node.add(elementwise("Div"), products, y_scale)
    bias = node.optional(8)
    if bias is not None:
        bias = as_dtype(node, bias, "float32")
    if factors.is_constant and factors.data is not None:
        powers, rest = split_factors(factors.data)
        w = node.add(elementwise("Mul"), w, node.constant(powers))
        factors = node.constant(rest)
        if bias is not None:
            bias = node.add(elementwise("Mul"), bias, node.constant(powers.reshape(-1)))
    per_channel = factors if factors.spec.size == 1 else node.add(
        Reshape((factors.spec.size, *(1,) * (rank - 2))), factors
    )  # fmt: skip
    y = node.add(_conv(node, x, w), x, w, bias)
    return rounded(node, y, "Mul", per_channel, point(node, 7), node.element_of(node.input(7)))


def real(node: OnnxNode, first: int) -> Value:
    """What integers in input ``first`` stand for, by the scale and zero point behind them."""
    scale = _column(node, as_dtype(node, node.input(first + 1), "float32"), 0, 0)
    codes = centred(node, node.input(first), point(node, first + 2, 0, 0))
    result: Value = node.add(elementwise("Mul"), codes, scale)
    return result


def stored(node: OnnxNode, y: Value, first: int) -> Value:
    """Real numbers as integers by the scale in input ``first`` and the zero point behind."""
    scale = _column(node, as_dtype(node, node.input(first), "float32"), 0, 0)
    zero = node.optional(first + 1)
    element = TensorProto.UINT8 if zero is None else node.element_of(zero)
    return rounded(node, y, "Div", scale, point(node, first + 1, 0, 0), element)


def point(node: OnnxNode, index: int, axis: int = 0, rank: int = 1) -> Value | None:
    """An optional zero point as float32, along an axis of a tensor of this rank."""
    value = node.optional(index)
    if value is None:
        return None
    return _column(node, as_dtype(node, value, "float32"), axis, rank)


def _conv(node: OnnxNode, x: Value, w: Value) -> Conv:
    window = window_of(node, x.spec, w.spec)
    return Conv(window.strides, window.pads, window.dilations, node.integer("group", 1))


@converter("ConvInteger")
def integer_convolution(node: OnnxNode) -> Any:
    x = centred(node, node.input(0), point(node, 2))
    w = centred(node, node.input(1), point(node, 3, 0, x.spec.rank))
    axes = tuple(range(1, w.spec.rank))
    return _exactly(node, _conv(node, x, w), x, w, axes)


@converter("MatMulInteger")
def integer_product(node: OnnxNode) -> Any:
    a, b = node.input(0), node.input(1)
    a = centred(node, a, point(node, 2, max(0, a.spec.rank - 2), a.spec.rank))
    b = centred(node, b, point(node, 3, b.spec.rank - 1, b.spec.rank))
    return _exactly(node, MatMul(), a, b, (max(0, b.spec.rank - 2),))


def _exactly(node: OnnxNode, op: Any, x: Value, w: Value, axes: tuple[int, ...]) -> Value:
    """int32 sums over the ``axes`` of w. Where float32 might not hold them, those with the upper
    and those with the lower bits of w are added as integers."""
    largest = 255**2 * math.prod(w.spec.shape[a] for a in axes)
    if w.is_constant and w.data is not None:
        largest = int(255 * np.abs(w.data).astype(np.float64).sum(axes).max(initial=0))
    if largest < EXACT:
        y = node.add(op, x, w)
        result = as_dtype(node, y, "int32")
        node.importer.rounded[result] = y
        return result
    upper = node.add(elementwise("Floor"), node.add(elementwise("Scale", factor=1 / _PART), w))
    lower = node.add(elementwise("Sub"), w, node.add(elementwise("Scale", factor=_PART), upper))
    high, low = (as_dtype(node, node.add(op, x, part), "int32") for part in (upper, lower))
    scaled = node.add(elementwise("Mul"), high, node.constant(_PART, "int32"))
    total: Value = node.add(elementwise("Add"), scaled, low)
    return total


@converter("QLinearMatMul")
def quantized_product(node: OnnxNode) -> Any:
    """Inputs: a, its scale and zero point, b and its, the result's."""
    a, b = node.input(0), node.input(3)
    ranks = (a.spec.rank, b.spec.rank)
    axes = (max(0, ranks[0] - 2), ranks[1] - 1)  # of scales of a's rows and of b's columns
    a = centred(node, a, point(node, 2, axes[0], ranks[0]))
    b = centred(node, b, point(node, 5, axes[1], ranks[1]))
    y = node.add(MatMul(), a, b)
    given = [as_dtype(node, node.input(i), "float32") for i in (1, 4, 6)]
    rank = y.spec.rank
    places = (max(0, rank - 2), rank - 1, rank - 1)
    scales = [_column(node, s, p, rank) for s, p in zip(given, places, strict=True)]
    product = node.add(elementwise("Mul"), scales[0], scales[1])
    factor = node.add(elementwise("Div"), product, scales[2])
    zero = point(node, 7, rank - 1, rank)
    return rounded(node, y, "Mul", factor, zero, node.element_of(node.input(7)))
