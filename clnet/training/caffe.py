"""Caffe's solvers as optimizers: the learning rate is part of what momentum gathers, and single
weights have rates and decays of their own.

After Jia et al., "Caffe: Convolutional Architecture for Fast Feature Embedding" (2014).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clnet.ops.formula import Term
from clnet.training.schedules import Rate

#: The tensors that each type keeps for a weight.
_SLOTS = {
    "SGD": ("momentum",),
    "Nesterov": ("momentum",),
    "AdaGrad": ("square",),
    "RMSProp": ("square",),
    "AdaDelta": ("square", "step"),
    "Adam": ("mean", "square"),
}


@dataclass(frozen=True)
class CaffeSolver:
    """A solver of ``type``, by Caffe's names. ``multipliers`` are factors of learning rate and
    weight decay by parameter; ``gradient_factor`` is where Caffe's loss is a multiple of ours."""

    type: str
    learning_rate: Rate
    momentum: float = 0.0
    momentum2: float = 0.999
    rms_decay: float = 0.99
    delta: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    gradient_factor: float = 1.0
    multipliers: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    rate_factor: float = 1.0  # of the weight at hand

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the tensors that are kept for each weight."""
        return _SLOTS[self.type]

    def of(self, name: str) -> CaffeSolver:
        """The solver as it treats one parameter."""
        rate, decay = self.multipliers.get(name, (1.0, 1.0))
        return replace(self, rate_factor=rate, weight_decay=self.weight_decay * decay)

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """The learning rate, with Adam's correction for having started at zero."""
        if self.type != "Adam":
            return (rate,)
        first, second = 1 - self.momentum ** (step + 1), 1 - self.momentum2 ** (step + 1)
        return (rate * math.sqrt(second) / first,)

    def step(self, weight: Term, gradient: Term, *rest: Term) -> tuple[Term, ...]:
        """The new weight and slots, from the present slots and the scalar."""
        *slots, rate = rest
        rate = rate * self.rate_factor
        g = gradient * self.gradient_factor + weight * self.weight_decay
        if self.type == "SGD":
            m = slots[0] * self.momentum + rate * g
            return weight - m, m
        if self.type == "Nesterov":
            m = slots[0] * self.momentum + rate * g
            return weight - (m * (1 + self.momentum) - slots[0] * self.momentum), m
        if self.type == "AdaGrad":
            s = slots[0] + g * g
            return weight - rate * g / (s.apply("Sqrt") + self.delta), s
        if self.type == "RMSProp":
            s = slots[0] * self.rms_decay + g * g * (1 - self.rms_decay)
            return weight - rate * g / (s.apply("Sqrt") + self.delta), s
        if self.type == "AdaDelta":
            s = slots[0] * self.momentum + g * g * (1 - self.momentum)
            moved = g * ((slots[1] + self.delta) / (s + self.delta)).apply("Sqrt")
            x = slots[1] * self.momentum + moved * moved * (1 - self.momentum)
            return weight - rate * moved, s, x
        m = slots[0] * self.momentum + g * (1 - self.momentum)
        s = slots[1] * self.momentum2 + g * g * (1 - self.momentum2)
        return weight - rate * m / (s.apply("Sqrt") + self.delta), m, s
