"""Elementwise layers, softmax and dropout."""

from __future__ import annotations

from dataclasses import dataclass

from clnet.graph import Value
from clnet.models.layers.base import Layer
from clnet.models.scope import Scope
from clnet.ops.dropout import Dropout as DropoutOp
from clnet.ops.elementwise import elementwise
from clnet.ops.softmax import Softmax as SoftmaxOp


@dataclass(frozen=True)
class Activation(Layer):
    """An elementwise function by its ONNX name, such as "Relu" or "Tanh"; ``parameters`` are the
    function's, such as (("alpha", 0.1),)."""

    function: str
    parameters: tuple[tuple[str, float], ...] = ()

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        result: Value = scope.add(elementwise(self.function, **dict(self.parameters)), x)
        return result


@dataclass(frozen=True)
class Softmax(Layer):
    """Probabilities over the channels. Cross-entropy looks through it at the logits."""

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        result: Value = scope.add(SoftmaxOp(axis=1), x)
        return result


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, drops each element with probability ``ratio`` and scales up the others."""

    ratio: float = 0.5

    def append(self, scope: Scope, *inputs: Value) -> Value:
        (x,) = inputs
        result: Value = scope.add(DropoutOp(self.ratio), x)
        return result
