"""Layers with weights: convolutions and fully connected ones."""

from __future__ import annotations

from dataclasses import dataclass

from clnet.errors import ShapeError
from clnet.graph import Value
from clnet.models.initializers import find_initializer, zeros
from clnet.models.layers.base import Layer, Sizes, each
from clnet.models.scope import Initializer, Scope
from clnet.ops.conv import Conv as ConvOp
from clnet.ops.conv_transpose import ConvTranspose as ConvTransposeOp
from clnet.ops.gemm import Gemm


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution of x[N, C, *spatial] with ``channels`` filters, 1 to 3 spatial dimensions.

    ``padding`` is the number of zeros on both sides of each dimension.
    """

    channels: int
    kernel: Sizes
    stride: Sizes = 1
    padding: Sizes = 0
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    initializer: str | Initializer = "glorot"

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        rank = _spatial(x)
        if x.spec.shape[1] % self.groups or self.channels % self.groups:
            raise ShapeError(
                f"{x.spec.shape[1]} channels and {self.channels} filters in {self.groups} groups"
            )
        shape = (self.channels, x.spec.shape[1] // self.groups, *each(self.kernel, rank))
        weight = scope.parameter("weight", shape, find_initializer(self.initializer))
        bias = scope.parameter("bias", (self.channels,), zeros) if self.bias else None
        op = ConvOp(
            each(self.stride, rank),
            each(self.padding, rank) * 2,
            each(self.dilation, rank),
            self.groups,
        )
        result: Value = scope.add(op, x, weight, bias)
        return result


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """Transposed convolution of x[N, C, *spatial] to ``channels``: ``stride`` times as large where
    kernel and stride are equal."""

    channels: int
    kernel: Sizes
    stride: Sizes = 1
    padding: Sizes = 0
    bias: bool = True
    initializer: str | Initializer = "glorot"

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        rank = _spatial(x)
        shape = (x.spec.shape[1], self.channels, *each(self.kernel, rank))
        weight = scope.parameter("weight", shape, find_initializer(self.initializer))
        bias = scope.parameter("bias", (self.channels,), zeros) if self.bias else None
        op = ConvTransposeOp(each(self.stride, rank), each(self.padding, rank) * 2, (1,) * rank)
        result: Value = scope.add(op, x, weight, bias)
        return result


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected layer from x[N, F] to [N, units]; the weights are [units, F]."""

    units: int
    bias: bool = True
    initializer: str | Initializer = "glorot"

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.spec.rank != 2:
            raise ShapeError(f"a dense layer takes [N, features], not {x.spec}; put Flatten before")
        shape = (self.units, x.spec.shape[1])
        weight = scope.parameter("weight", shape, find_initializer(self.initializer))
        bias = scope.parameter("bias", (self.units,), zeros) if self.bias else None
        result: Value = scope.add(Gemm(trans_b=True), x, weight, bias)
        return result


def _spatial(x: Value) -> int:
    """The number of spatial dimensions."""
    if x.spec.rank < 3:
        raise ShapeError(f"a convolution of {x.spec}, which is not [N, C, ...]")
    return x.spec.rank - 2
