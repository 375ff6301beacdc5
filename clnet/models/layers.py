"""What a Sequential is made of: small descriptions that append their nodes to a graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Value
from clnet.models.initializers import Initializer, find_initializer, zeros
from clnet.ops.conv import Conv as ConvOp
from clnet.ops.dropout import Dropout as DropoutOp
from clnet.ops.elementwise import elementwise
from clnet.ops.gemm import Gemm
from clnet.ops.pooling import MaxPool as MaxPoolOp
from clnet.ops.reshape import Reshape
from clnet.ops.softmax import Softmax as SoftmaxOp

#: One number for all spatial dimensions, or one each.
Sizes = int | tuple[int, ...]


class Parameters(Protocol):
    """Hands a layer its weights: made anew by the initializer, or the network's present ones."""

    def __call__(self, name: str, shape: tuple[int, ...], initializer: Initializer) -> Value:
        """The parameter that the layer calls ``name``."""


class Layer:
    """Base of all layers."""

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        """Append the layer's nodes behind ``x``; returns its output."""
        raise NotImplementedError(type(self).__name__)


def _each(sizes: Sizes, rank: int) -> tuple[int, ...]:
    return (sizes,) * rank if isinstance(sizes, int) else tuple(sizes)


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
    initializer: str = "glorot"

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        rank = x.spec.rank - 2
        if rank < 1:
            raise ShapeError(f"a convolution of {x.spec}, which is not [N, C, ...]")
        shape = (self.channels, x.spec.shape[1] // self.groups, *_each(self.kernel, rank))
        weight = parameters("weight", shape, find_initializer(self.initializer))
        bias = parameters("bias", (self.channels,), zeros) if self.bias else None
        op = ConvOp(
            _each(self.stride, rank),
            _each(self.padding, rank) * 2,
            _each(self.dilation, rank),
            self.groups,
        )
        return _added(build, op, x, weight, bias)


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected layer from x[N, F] to [N, units]; the weights are [units, F]."""

    units: int
    bias: bool = True
    initializer: str = "glorot"

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        if x.spec.rank != 2:
            raise ShapeError(f"a dense layer takes [N, features], not {x.spec}; put Flatten before")
        shape = (self.units, x.spec.shape[1])
        weight = parameters("weight", shape, find_initializer(self.initializer))
        bias = parameters("bias", (self.units,), zeros) if self.bias else None
        return _added(build, Gemm(trans_b=True), x, weight, bias)


@dataclass(frozen=True)
class MaxPool(Layer):
    """Largest element of each window; windows do not overlap unless ``stride`` says so."""

    kernel: Sizes
    stride: Sizes | None = None
    padding: Sizes = 0

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        rank = x.spec.rank - 2
        kernel = _each(self.kernel, rank)
        stride = kernel if self.stride is None else _each(self.stride, rank)
        op = MaxPoolOp(kernel, stride, _each(self.padding, rank) * 2, (1,) * rank)
        return _added(build, op, x)


@dataclass(frozen=True)
class Flatten(Layer):
    """x[N, ...] as [N, features]."""

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        batch, *rest = x.spec.shape
        return _added(build, Reshape((batch, math.prod(rest))), x)


@dataclass(frozen=True)
class Activation(Layer):
    """An elementwise function by its ONNX name, such as "Relu" or "Tanh"."""

    function: str

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        return _added(build, elementwise(self.function), x)


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, drops each element with probability ``ratio`` and scales up the others."""

    ratio: float = 0.5

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        return _added(build, DropoutOp(self.ratio), x)


@dataclass(frozen=True)
class Softmax(Layer):
    """Probabilities over the channels. Cross-entropy looks through it at the logits."""

    def apply(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        return _added(build, SoftmaxOp(axis=1), x)


def _added(build: GraphBuilder, op: Any, *inputs: Value | None) -> Value:
    value: Value = build.add(op, *inputs)
    return value
