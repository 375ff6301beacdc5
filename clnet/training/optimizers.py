"""Optimizers: how weights move, given their gradients. Conventions are PyTorch's.

Each keeps *slots* for every weight, tensors of its shape that begin as zeros, and takes a few
*scalars* from the host at every step. A step is one Update of the weight and its slots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from clnet.errors import InputError
from clnet.ops.formula import Term
from clnet.training.schedules import Rate

if TYPE_CHECKING:
    from typing_extensions import Self


class Optimizer(Protocol):
    """What a Trainer asks of an optimizer.

    ``clip_value`` limits every element of a gradient, ``clip_norm`` the norm of all gradients
    together (after clip_value); None does not limit.
    """

    @property
    def learning_rate(self) -> Rate: ...

    @property
    def clip_value(self) -> float | None: ...

    @property
    def clip_norm(self) -> float | None: ...

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the tensors that are kept for each weight."""

    def of(self, name: str) -> Optimizer:
        """How it treats the parameter of that name."""

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """What changes from step to step, given the learning rate and the step, from 0 on."""

    def step(self, weight: Term, gradient: Term, *rest: Term) -> tuple[Term, ...]:
        """The new weight and slots; ``rest`` are the present slots, then the scalars."""


@dataclass(frozen=True)
class _Base:
    """Fields of all optimizers, checked."""

    learning_rate: Rate = 0.01
    _: KW_ONLY
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None

    #: Fields that lie within [0, 1).
    shares: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise InputError(f"{name}: weight_decay is {self.weight_decay}")
        for limit in ("clip_value", "clip_norm"):
            value = getattr(self, limit)
            if value is not None and not value > 0:
                raise InputError(f"{name}: {limit} is {value}")
        for share in self.shares:
            values = getattr(self, share)
            for value in values if isinstance(values, Sequence) else (values,):
                if not 0 <= value < 1:
                    raise InputError(f"{name}: {share} is {values}, which must lie within [0, 1)")

    def of(self, name: str) -> Self:
        """Every parameter alike."""
        return self

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """The learning rate alone."""
        return (rate,)

    def _decayed(self, weight: Term, gradient: Term) -> Term:
        return gradient + weight * self.weight_decay if self.weight_decay else gradient


@dataclass(frozen=True, kw_only=True)
class SGD(_Base):
    """Gradient descent: m = momentum * m + g, weight -= learning_rate * m; ``nesterov`` looks
    ahead: weight -= learning_rate * (g + momentum * m). Weight decay adds to g."""

    momentum: float = 0.0
    nesterov: bool = False
    shares: ClassVar = ("momentum",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise InputError("SGD: nesterov needs a momentum")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def step(self, weight: Term, gradient: Term, *rest: Term) -> tuple[Term, ...]:
        g = self._decayed(weight, gradient)
        if not self.momentum:
            (rate,) = rest
            return (weight - rate * g,)
        m, rate = rest
        m = m * self.momentum + g
        return weight - rate * (g + m * self.momentum if self.nesterov else m), m


@dataclass(frozen=True, kw_only=True)
class RMSprop(_Base):
    """weight -= learning_rate * g / (sqrt(s) + epsilon), s the running mean of g squared; with
    ``momentum`` that quotient is gathered as in SGD.

    Tieleman & Hinton, "Lecture 6.5: RMSprop" (2012).
    """

    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    shares: ClassVar = ("alpha", "momentum")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("square", "momentum") if self.momentum else ("square",)

    def step(self, weight: Term, gradient: Term, *rest: Term) -> tuple[Term, ...]:
        square, *momentum, rate = rest
        g = self._decayed(weight, gradient)
        square = square * self.alpha + g * g * (1 - self.alpha)
        moved = g / (square.apply("Sqrt") + self.epsilon)
        if not momentum:
            return weight - rate * moved, square
        m = momentum[0] * self.momentum + moved
        return weight - rate * m, square, m


@dataclass(frozen=True, kw_only=True)
class Adam(_Base):
    """weight -= learning_rate * m / (sqrt(s) + epsilon), m and s the running means of g and of g
    squared, both corrected for having started at zero. Weight decay adds to g.

    Kingma & Ba, "Adam: A Method for Stochastic Optimization" (2015).
    """

    learning_rate: Rate = field(default=0.001, kw_only=False)
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    shares: ClassVar = ("betas",)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "square")

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """The rate over the mean's correction, and one over the root of the square's."""
        first, second = (1 - beta ** (step + 1) for beta in self.betas)
        return rate / first, 1 / math.sqrt(second)

    def step(self, weight: Term, gradient: Term, *rest: Term) -> tuple[Term, ...]:
        mean, square, corrected, root, *rate = rest
        weight, g = self._decay(weight, gradient, *rate)
        mean = mean * self.betas[0] + g * (1 - self.betas[0])
        square = square * self.betas[1] + g * g * (1 - self.betas[1])
        moved = mean / (square.apply("Sqrt") * root + self.epsilon)
        return weight - corrected * moved, mean, square

    def _decay(self, weight: Term, gradient: Term, *rate: Term) -> tuple[Term, Term]:
        return weight, self._decayed(weight, gradient)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam whose weight decay is not part of the gradient: weight -= learning_rate *
    weight_decay * weight.

    Loshchilov & Hutter, "Decoupled Weight Decay Regularization" (2019).
    """

    weight_decay: float = 0.01

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """Adam's, and the rate itself."""
        return (*super().scalars(rate, step), rate)

    def _decay(self, weight: Term, gradient: Term, *rate: Term) -> tuple[Term, Term]:
        return weight - rate[0] * weight * self.weight_decay, gradient
