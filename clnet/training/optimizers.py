"""Optimizers: how a weight moves, given its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from clnet.errors import InputError
from clnet.graph import GraphBuilder, Value
from clnet.ops.update import SGD as DESCENT
from clnet.ops.update import Update

#: A learning rate, or a function from the epoch (0, 1, ...) to it.
Rate = float | Callable[[int], float]


class Optimizer(Protocol):
    """Appends the update of one weight to the training step."""

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""

    def update(self, build: GraphBuilder, weight: Value, gradient: Value, rate: Value) -> None:
        """Append the nodes; ``rate`` is the learning rate, a scalar input of the step."""


@dataclass(frozen=True)
class SGD:
    """Gradient descent: weight -= learning_rate * gradient."""

    learning_rate: Rate = 0.01

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch. Raises InputError unless it is a number from 0 on."""
        rate = self.learning_rate
        value = float(rate(epoch) if callable(rate) else rate)
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"the learning rate of epoch {epoch} is {value}")
        return value

    def update(self, build: GraphBuilder, weight: Value, gradient: Value, rate: Value) -> None:
        """weight -= rate * gradient, in place."""
        build.add(Update(DESCENT), weight, gradient, rate, name=f"{weight.name}:update")
