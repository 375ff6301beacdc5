"""Batch normalisation."""

from __future__ import annotations

from dataclasses import dataclass

from clnet.errors import ShapeError
from clnet.graph import Value
from clnet.models.initializers import ones, zeros
from clnet.models.layers.base import Layer
from clnet.models.scope import Scope
from clnet.ops.batch_normalization import BatchNormalization


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Every channel of x[N, C, ...] brought to mean 0 and variance 1, then scaled and shifted: in
    training by the batch's own mean and variance, which running ones follow for later.

    Ioffe & Szegedy, "Batch Normalization" (2015).
    """

    epsilon: float = 1e-5

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.spec.rank < 2:
            raise ShapeError(f"batch normalisation of {x.spec}, which is not [N, C, ...]")
        channels = (x.spec.shape[1],)
        scale = scope.parameter("scale", channels, ones)
        bias = scope.parameter("bias", channels, zeros)
        mean = scope.parameter("mean", channels, zeros, trained=False)
        variance = scope.parameter("variance", channels, ones, trained=False)
        result: Value = scope.add(BatchNormalization(self.epsilon), x, scale, bias, mean, variance)
        return result
