"""How long a tuning may take, and two ways to end it early."""

from __future__ import annotations

import math
import threading
import time

from clnet.errors import ClnetError


class TuningAbandonedError(ClnetError):
    """Nobody waits for the result of this tuning any more."""


class Budget:
    """Seconds to spend, counted from now on. Other threads and handlers of signals may call
    :meth:`stop` and :meth:`abandon`."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._ends = time.monotonic() + seconds
        self._stop, self._abandon = threading.Event(), threading.Event()

    @property
    def left(self) -> float:
        """Seconds that may still be spent; none after ``stop``."""
        return 0.0 if self.stopped else max(0.0, self._ends - time.monotonic())

    @property
    def stopped(self) -> bool:
        """Whether it was ended early."""
        return self._stop.is_set()

    def part(self, seconds: float) -> Budget:
        """So much of what is left, ended early together with the whole."""
        part = Budget(min(seconds, self.left))
        part._stop, part._abandon = self._stop, self._abandon
        return part

    def stop(self) -> None:
        """No more trials: what was found until now is the result."""
        self._stop.set()

    def abandon(self) -> None:
        """Drop everything at once, but for the records that are made."""
        self._abandon.set()
        self._stop.set()

    def check(self) -> None:
        """Raises TuningAbandonedError once abandoned."""
        if self._abandon.is_set():
            raise TuningAbandonedError("the tuning was abandoned")
