"""Ops on integers of com.microsoft, which ONNX Runtime's quantiser writes: applied to the real
numbers that these stand for, and rounded again."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.onnx.converters.casting import as_dtype
from clnet.importers.onnx.converters.pooling import average_pooling
from clnet.importers.onnx.converters.quantized import centred, point, real, rounded, stored
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import MICROSOFT, converter
from clnet.ops.concat import Concat
from clnet.ops.elementwise import elementwise
from clnet.ops.gemm import Gemm
from clnet.ops.pooling import GlobalAveragePool
from clnet.ops.softmax import Softmax


@converter("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def quantized_pair(node: OnnxNode) -> Any:
    op = elementwise(node.op_type.removeprefix("QLinear"))
    return stored(node, node.add(op, real(node, 0), real(node, 3)), 6)


@converter("QLinearSigmoid", "QLinearLeakyRelu", domain=MICROSOFT)
def quantized_activation(node: OnnxNode) -> Any:
    op = elementwise("Sigmoid")
    if node.op_type == "QLinearLeakyRelu":
        op = elementwise("LeakyRelu", alpha=node.real("alpha", 0.01))
    return stored(node, node.add(op, real(node, 0)), 3)


@converter("QLinearSoftmax", domain=MICROSOFT)
def quantized_softmax(node: OnnxNode) -> Any:
    x = real(node, 0)
    axis = node.axis("axis", -1, x.spec.rank)
    if node.integer("opset", 13) < 13 and axis != x.spec.rank - 1:
        raise UnsupportedError("a softmax over flattened axes")
    return stored(node, node.add(Softmax(axis), x), 3)


@converter("QLinearGlobalAveragePool", "QLinearAveragePool", domain=MICROSOFT)
def quantized_pool(node: OnnxNode) -> Any:
    if node.flag("channels_last"):
        raise UnsupportedError("channels last")
    x = real(node, 0)
    if node.op_type == "QLinearAveragePool":
        return stored(node, node.add(average_pooling(node), x), 3)
    return stored(node, node.add(GlobalAveragePool(), x), 3)


@converter("QLinearConcat", domain=MICROSOFT)
def quantized_concat(node: OnnxNode) -> Any:
    """Inputs: the result's scale and zero point, then each operand with its own."""
    if len(node.inputs) < 5 or len(node.inputs) % 3 != 2:
        raise ModelError(f"{len(node.inputs)} inputs")
    parts = [real(node, first) for first in range(2, len(node.inputs), 3)]
    joined = node.add(Concat(node.axis("axis", None, parts[0].spec.rank)), *parts)
    return stored(node, joined, 0)


@converter("QGemm", domain=MICROSOFT)
def quantized_gemm(node: OnnxNode) -> Any:
    """Inputs: a and b with their scales and zero points, a bias on the grid of their product, and
    the result's scale and zero point, without which it is real."""
    trans_a, trans_b = node.flag("transA"), node.flag("transB")
    column = 0 if trans_b else 1
    a = centred(node, node.input(0), point(node, 2))
    b = centred(node, node.input(3), point(node, 5, column, 2))
    bias = node.optional(6)
    if bias is not None:
        bias = as_dtype(node, bias, "float32")
    y = node.add(Gemm(trans_a=trans_a, trans_b=trans_b), a, b, bias)
    scales = [as_dtype(node, node.input(i), "float32") for i in (1, 4)]
    factor = node.add(elementwise("Mul"), *scales)
    factor = node.add(elementwise("Scale", factor=node.real("alpha", 1.0)), factor)
    if not node.has(7):
        return node.add(elementwise("Mul"), y, factor)
    factor = node.add(elementwise("Div"), factor, as_dtype(node, node.input(7), "float32"))
    element = node.element_of(node.input(8)) if node.has(8) else TensorProto.UINT8
    return rounded(node, y, "Mul", factor, point(node, 8), element)
