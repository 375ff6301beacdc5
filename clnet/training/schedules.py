"""Schedules: the learning rate as a function of time.

A schedule is anything that gives the rate of a step from (epoch, step), both counted from 0 since
training began; steps go on counting from epoch to epoch. A plain function will do:
``lambda epoch, step: 0.001 * 0.993**epoch``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from clnet.errors import InputError

Schedule = Callable[[int, int], float]
#: A learning rate: a number, or a schedule.
Rate = float | Schedule
#: What a schedule counts.
Unit = Literal["epoch", "step"]


def rate_at(rate: Rate, epoch: int, step: int) -> float:
    """The learning rate of a step. Raises InputError unless it is a number from 0 on."""
    value = float(rate(epoch, step) if callable(rate) else rate)
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"the learning rate of epoch {epoch}, step {step} is {value}")
    return value


@dataclass(frozen=True)
class Step:
    """``rate``, times ``factor`` after every ``every`` epochs or steps."""

    rate: float
    every: int
    factor: float = 0.1
    per: Unit = "epoch"

    def __call__(self, epoch: int, step: int) -> float:
        return self.rate * self.factor ** (_time(self.per, epoch, step) // self.every)


@dataclass(frozen=True)
class Exponential:
    """``rate`` times ``factor`` to the power of the epochs or steps that have passed."""

    rate: float
    factor: float
    per: Unit = "epoch"

    def __call__(self, epoch: int, step: int) -> float:
        return self.rate * self.factor ** _time(self.per, epoch, step)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from ``rate`` to ``final`` over ``length`` epochs or steps, then ``final``.

    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), without
    the restarts.
    """

    rate: float
    length: int
    final: float = 0.0
    per: Unit = "epoch"

    def __call__(self, epoch: int, step: int) -> float:
        passed = min(1.0, _time(self.per, epoch, step) / self.length)
        return self.final + (self.rate - self.final) * (1 + math.cos(math.pi * passed)) / 2


@dataclass(frozen=True)
class WarmUp:
    """Rises in equal parts to the rate of ``then``, which holds after ``length`` steps (or epochs).

    Goyal et al., "Accurate, Large Minibatch SGD" (2017).
    """

    then: Rate
    length: int
    per: Unit = "step"

    def __call__(self, epoch: int, step: int) -> float:
        share = min(1.0, (_time(self.per, epoch, step) + 1) / max(1, self.length))
        return share * rate_at(self.then, epoch, step)


def _time(unit: Unit, epoch: int, step: int) -> int:
    if unit not in ("epoch", "step"):
        raise InputError(f"a schedule counts by epoch or step, not by {unit!r}")
    return epoch if unit == "epoch" else step
