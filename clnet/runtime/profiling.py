"""When each call of an executable ran, by the driver's account, in runs of their own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from clnet.calls import KernelCall
from clnet.errors import DeviceError
from clnet.runtime.executable import Executable
from clnet.runtime.opencl import cl


@dataclass(frozen=True)
class Span:
    """Seconds since the first call of a run began on the device."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


class Profiler:
    """Runs an executable's calls on a queue that keeps times.

    What is not a kernel of clnet's own (CLBlast, steps on the host) is waited for and timed by the
    host's clock, so a run takes longer than usual; the kernels themselves do not.
    """

    def __init__(self, executable: Executable) -> None:
        self._executable = executable
        profiling = cl.command_queue_properties.PROFILING_ENABLE
        self._queue = cl.CommandQueue(executable.device.context, properties=profiling)
        self._steps = [executable.bind(call, self._queue) for call in executable.calls]

    def run(self) -> list[Span]:
        """One run: when each call began and ended. Raises DeviceError where the driver refuses or
        keeps no times."""
        try:
            return self._spans()
        except cl.Error as error:
            device = self._executable.device
            raise DeviceError(f"{device}: the driver gives no times: {error}") from None

    def _spans(self) -> list[Span]:
        events: list[Any] = []
        for bound, (function, arguments) in zip(self._executable.calls, self._steps, strict=True):
            if isinstance(bound.call, KernelCall):
                events.append(function(*arguments))
                continue
            self._queue.finish()
            started = time.perf_counter()
            function(*arguments)
            self._queue.finish()
            self._executable.queue.finish()
            events.append(time.perf_counter() - started)
        self._queue.finish()
        spans: list[Span] = []
        first = last = None  # nanoseconds of the device's clock
        behind = 0.0  # seconds that calls took which the device's clock does not show
        for event in events:
            if isinstance(event, float):
                start = spans[-1].end if spans else 0.0
                spans.append(Span(start, start + event))
                behind += event if last is None else 0.0
                continue
            begin, last = event.profile.start, event.profile.end
            first = begin if first is None else first
            spans.append(Span((begin - first) * 1e-9 + behind, (last - first) * 1e-9 + behind))
        return spans
