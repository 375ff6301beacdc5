"""A tuning that goes on beside a running session."""

from __future__ import annotations

import atexit
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future

from clnet.session.tune import TuningReport
from clnet.tuning.budget import Budget, TuningAbandonedError


class BackgroundTuning:
    """Runs ``work``, a tuning within ``budget``, in a thread of its own. It is abandoned when the
    process ends."""

    def __init__(self, work: Callable[[], TuningReport], budget: Budget) -> None:
        self._work, self._budget = work, budget
        self._future: Future[TuningReport] = Future()
        self._thread = threading.Thread(target=self._run, name="clnet-tuning", daemon=True)
        atexit.register(self._end)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended, the session's new plan in force if there is a better one."""
        return self._future.done()

    def result(self, timeout: float | None = None) -> TuningReport:
        """Wait for the end, ``timeout`` seconds at most (TimeoutError), outside of any block that
        maps the session's memory. Raises what ended the tuning early."""
        return self._future.result(timeout)

    def stop(self) -> None:
        """End the search early; what was found until now is put in force."""
        self._budget.stop()

    def abandon(self) -> None:
        """End it at once and change nothing; records that were made are kept."""
        self._budget.abandon()

    def _run(self) -> None:
        try:
            self._future.set_result(self._work())
        except Exception as error:  # for whoever asks for the result
            self._future.set_exception(error)
            if not isinstance(error, TuningAbandonedError):
                warnings.warn(f"tuning in the background failed: {error}", stacklevel=1)
        atexit.unregister(self._end)

    def _end(self) -> None:
        self.abandon()
        self._thread.join()
