"""Layers that join branches or change nothing but the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clnet.errors import ShapeError
from clnet.graph import Value
from clnet.models.layers.base import Layer, Tensor
from clnet.models.scope import Scope
from clnet.ops.concat import Concat as ConcatOp
from clnet.ops.elementwise import elementwise
from clnet.ops.reshape import Reshape as ReshapeOp


@dataclass(frozen=True)
class Add(Layer):
    """The sum of all inputs, which have one shape."""

    def append(self, scope: Scope, *inputs: Value) -> Value:
        total, *others = inputs
        for other in others:
            if other.spec.shape != total.spec.shape:
                raise ShapeError(f"a sum of {total.spec} and {other.spec}")
            total = scope.add(elementwise("Add"), total, other)
        return total


@dataclass(frozen=True)
class Concat(Layer):
    """All inputs one behind another along ``axis``: channels, unless it says otherwise."""

    axis: int = 1

    def append(self, scope: Scope, *inputs: Value) -> Value:
        result: Value = scope.add(ConcatOp(self.axis), *inputs)
        return result


@dataclass(frozen=True)
class Flatten(Layer):
    """x[N, ...] as [N, features]."""

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        batch, *rest = x.spec.shape
        result: Value = scope.add(ReshapeOp((batch, math.prod(rest))), x)
        return result


@dataclass(frozen=True)
class Reshape(Layer):
    """x[N, ...] as [N, *shape]."""

    shape: tuple[int, ...]

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        result: Value = scope.add(ReshapeOp((x.spec.shape[0], *self.shape)), x)
        return result


class Residual(Layer):
    """What ``layers`` make of x, plus x itself, or what ``shortcut`` makes of it.

    He et al., "Deep Residual Learning for Image Recognition" (2016).
    """

    def __init__(self, layers: Sequence[Layer], shortcut: Sequence[Layer] = ()) -> None:
        self.layers, self.shortcut = tuple(layers), tuple(shortcut)

    def __call__(self, *inputs: Tensor) -> Tensor:
        y, x = (_chain(layers, *inputs) for layers in (self.layers, self.shortcut))
        return Add()(y, x)


class Branches(Layer):
    """What each of several lists of layers makes of x, one behind another along the channels."""

    def __init__(self, *branches: Sequence[Layer]) -> None:
        self.branches = tuple(tuple(b) for b in branches)

    def __call__(self, *inputs: Tensor) -> Tensor:
        return Concat()(*(_chain(branch, *inputs) for branch in self.branches))


def _chain(layers: Sequence[Layer], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x
