"""The few ops of com.microsoft that ONNX Runtime leaves behind when it saves optimised models."""

from __future__ import annotations

from typing import Any

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.converters.convolution import convolution
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import MICROSOFT, converter
from clnet.ops.elementwise import Elementwise, elementwise
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.transpose import Transpose

#: Activation of a fused node → its parameters, in the order of activation_params.
_ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "Relu": (), "Sigmoid": (), "Tanh": (), "HardSwish": (), "LeakyRelu": ("alpha",),
    "Clip": ("min", "max"), "HardSigmoid": ("alpha", "beta"),
}  # fmt: skip


def _activation(node: OnnxNode, params: tuple[float, ...]) -> Elementwise:
    name = node.text("activation", "Relu", *_ACTIVATIONS)
    names = _ACTIVATIONS[name]
    if params and len(params) != len(names):
        raise ModelError(f"{len(params)} activation_params for {name}")
    return elementwise(name, **dict(zip(names, params, strict=False)))


@converter("FusedConv", domain=MICROSOFT)
def fused_conv(node: OnnxNode) -> Any:
    """activation(Conv(x, w, b) + z)."""
    result: Any = convolution(node)
    residual = node.optional(3)
    if residual is not None:
        result = node.add(elementwise("Add"), result, residual)
    return node.add(_activation(node, node.reals("activation_params", ())), result)


@converter("FusedGemm", domain=MICROSOFT)
def fused_gemm(node: OnnxNode) -> Any:
    """activation(Gemm(a, b, c))."""
    op = Gemm(
        node.real("alpha", 1.0), node.real("beta", 1.0), node.flag("transA"), node.flag("transB")
    )
    result = node.add(op, node.input(0), node.input(1), node.optional(2))
    names = ("activation_alpha", "activation_beta")
    return node.add(_activation(node, tuple(node.real(n) for n in names if node.has_attribute(n))),
                    result)  # fmt: skip


@converter("FusedMatMul", domain=MICROSOFT)
def fused_matmul(node: OnnxNode) -> Any:
    """alpha * a @ b, the last two axes of either swapped where asked."""
    if node.flag("transBatchA") or node.flag("transBatchB"):
        raise UnsupportedError("batches that are not in front")
    sides = [
        _swapped(node, node.input(i)) if node.flag(f"trans{'AB'[i]}") else node.input(i)
        for i in range(2)
    ]
    result: Value = node.add(MatMul(), *sides)
    alpha = node.real("alpha", 1.0)
    if alpha == 1:
        return result
    return node.add(elementwise("Mul"), result, node.constant(alpha, result.spec.dtype))


def _swapped(node: OnnxNode, value: Value) -> Any:
    rank = value.spec.rank
    if rank < 2:
        return value
    return node.add(Transpose((*range(rank - 2), rank - 1, rank - 2)), value)


@converter("Gelu", "BiasGelu", domain=MICROSOFT)
def gelu(node: OnnxNode) -> Any:
    return node.add(elementwise("Gelu"), _biased(node))


@converter("FastGelu", domain=MICROSOFT)
def fast_gelu(node: OnnxNode) -> Any:
    return node.add(elementwise("GeluTanh"), _biased(node))


@converter("QuickGelu", domain=MICROSOFT)
def quick_gelu(node: OnnxNode) -> Any:
    return node.add(elementwise("Swish", alpha=node.real("alpha", 1.702)), node.input())


def _biased(node: OnnxNode) -> Any:
    if not node.has(1):
        return node.input()
    return node.add(elementwise("Add"), node.input(0), node.input(1))
