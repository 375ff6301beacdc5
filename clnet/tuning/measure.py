"""Measures points in a child process: what crashes or hangs there is a failure on record here."""

from __future__ import annotations

import pickle
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from clnet.calls import Workload
from clnet.errors import DeviceError
from clnet.runtime.blas import Override
from clnet.runtime.child import python_command
from clnet.tuning.budget import Budget
from clnet.tuning.messages import Failure, Open, Race, Try
from clnet.tuning.space import Point

#: For building and checking one point. Drivers' compilers are slow on boards.
SECONDS = 60.0
#: How often it is asked whether somebody still waits for the answer.
POLL_SECONDS = 0.2
#: A child is replaced after so many points: some drivers leak with every kernel.
POINTS_PER_CHILD = 500


class MeasuringError(DeviceError):
    """A point that crashed, hung, did not build, or gave a wrong result."""


class Measurer:
    """One child at a time, which is replaced when it dies. Use as a context manager. CLBlast
    computes under ``overrides`` there. When ``budget`` is abandoned, so is what the child does."""

    def __init__(
        self,
        device_index: int,
        seconds: float = SECONDS,
        overrides: tuple[Override, ...] = (),
        budget: Budget | None = None,
    ) -> None:
        self._device, self._seconds, self.overrides = device_index, seconds, overrides
        self._budget = budget or Budget()
        self._child: subprocess.Popen[bytes] | None = None
        self._opened: Open | None = None
        self._default, self._scale = 0.0, 1.0
        self._points = 0

    def open(self, workload: Workload, default: Point) -> float:
        """Take up a workload: seconds of its default. Raises MeasuringError."""
        self._opened = None
        request = Open(self._device, workload, default, self.overrides)
        seconds: float = self._ask(request)
        self._opened, self._default, self._scale = request, seconds, 1.0
        return seconds

    def measure(self, point: Point, hopeless: float = float("inf")) -> float:
        """Seconds of a point: roughly, where more than ``hopeless``. Raises MeasuringError."""
        if self._points >= POINTS_PER_CHILD:
            self.close()
        seconds: float = self._ask(Try(point, hopeless / self._scale))
        return seconds * self._scale

    def race(self, points: Sequence[Point], rounds: int) -> list[list[float]]:
        """Samples of every point, taken in turn. Raises MeasuringError."""
        samples: list[list[float]] = self._ask(Race(tuple(points), rounds))
        return samples

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def __enter__(self) -> Measurer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Open | Try | Race) -> Any:
        if self._child is None:
            self._start()
            if self._opened is not None:  # where the default is slower now, so is the machine
                self._scale = self._default / self._ask(self._opened)
        self._points += 1
        answer = self._exchange(request)
        if isinstance(answer, Failure):
            raise MeasuringError(answer.reason)
        return answer

    def _start(self) -> None:
        self._points = 0
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the child)
        self._child = subprocess.Popen(
            python_command("-m", "clnet.tuning.worker"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            start_new_session=True,  # Ctrl-C is for this process alone
        )  # fmt: skip

    def _exchange(self, request: Open | Try | Race) -> Any:
        """Send and receive, or say how the child ended."""
        child = self._child
        assert child is not None and child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(pickle.dumps(request))
            child.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        deadline = time.monotonic() + self._seconds
        while not select.select([child.stdout], [], [], POLL_SECONDS)[0]:
            if time.monotonic() > deadline:
                self.close()
                raise MeasuringError(f"hangs: no answer within {self._seconds:g} s")
            self._budget.check()
        try:
            return pickle.load(child.stdout)  # what it sends is short, and sent at once
        except EOFError:
            raise self._died() from None

    def _died(self) -> MeasuringError:
        child, self._child = self._child, None
        assert child is not None
        child.communicate()
        status = child.returncode
        how = f"crashes (signal {-status})" if status < 0 else f"ends the process (status {status})"
        self._log.seek(0)
        last = self._log.read()[-500:].decode(errors="replace").strip().rpartition("\n")[2]
        return MeasuringError(f"{how}: {last}" if last else how)
