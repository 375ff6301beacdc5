"""EarlyStop: ends training that no longer gets better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clnet.errors import InputError
from clnet.training.history import History

_MONITORS = {"loss": False, "accuracy": True, "validation_loss": False, "validation_accuracy": True}


@dataclass(frozen=True)
class EarlyStop:
    """Stop after ``patience`` epochs in which ``monitor`` (a list of History) did not get better by
    more than ``at_least``. The weights of the best epoch are taken up again, unless ``restore`` is
    False. Raises InputError for another monitor."""

    patience: int = 3
    monitor: str = "validation_loss"
    at_least: float = 0.0
    restore: bool = True

    def __post_init__(self) -> None:
        if self.monitor not in _MONITORS:
            raise InputError(f"{self.monitor!r} is none of {', '.join(_MONITORS)}")
        if self.patience < 1:
            raise InputError(f"a patience of {self.patience} epochs")

    def best(self, history: History) -> int:
        """The epoch that nothing later was better than. Raises InputError without validation."""
        values: Sequence[float] = getattr(history, self.monitor)
        if not values:
            raise InputError(f"early stop needs the {self.monitor}: pass validation data")
        sign = 1 if _MONITORS[self.monitor] else -1
        best = 0
        for epoch, value in enumerate(values):
            if sign * (value - values[best]) > self.at_least:
                best = epoch
        return best

    def is_over(self, history: History) -> bool:
        """Whether to stop behind the last epoch."""
        return len(history.loss) - 1 - self.best(history) >= self.patience
