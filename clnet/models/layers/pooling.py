"""Layers that change the size of images, without weights."""

from __future__ import annotations

from dataclasses import dataclass

from clnet.errors import ShapeError
from clnet.graph import Value
from clnet.models.layers.base import Layer, Sizes, each
from clnet.models.scope import Scope
from clnet.ops.pooling import AveragePool as AveragePoolOp
from clnet.ops.pooling import MaxPool as MaxPoolOp
from clnet.ops.reduce import Reduce
from clnet.ops.resize import Resize


@dataclass(frozen=True)
class _Pool(Layer):
    kernel: Sizes
    stride: Sizes | None = None
    padding: Sizes = 0

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        rank = x.spec.rank - 2
        if rank < 1:
            raise ShapeError(f"pooling of {x.spec}, which is not [N, C, ...]")
        kernel = each(self.kernel, rank)
        stride = kernel if self.stride is None else each(self.stride, rank)
        result: Value = scope.add(
            self._op()(kernel, stride, each(self.padding, rank) * 2, (1,) * rank), x
        )
        return result

    def _op(self) -> type[MaxPoolOp | AveragePoolOp]:
        raise NotImplementedError(type(self).__name__)


class MaxPool(_Pool):
    """Largest element of each window; windows do not overlap unless ``stride`` says so."""

    def _op(self) -> type[MaxPoolOp | AveragePoolOp]:
        return MaxPoolOp


class AveragePool(_Pool):
    """Mean of each window, its padding left out."""

    def _op(self) -> type[MaxPoolOp | AveragePoolOp]:
        return AveragePoolOp


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """The mean of every channel: x[N, C, ...] as [N, C]."""

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        axes = tuple(range(2, x.spec.rank))
        result: Value = scope.add(Reduce("Mean", axes, keepdims=False), x) if axes else x
        return result


@dataclass(frozen=True)
class Upsample(Layer):
    """Each pixel ``factor`` times in every direction."""

    factor: int = 2

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        batch, channels, *spatial = x.spec.shape
        shape = (batch, channels, *(self.factor * s for s in spatial))
        scales = (1.0, 1.0, *(float(self.factor) for _ in spatial))
        op = Resize(shape, scales, coordinate_mode="asymmetric", nearest_mode="floor")
        result: Value = scope.add(op, x)
        return result
