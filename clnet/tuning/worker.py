"""The process that builds, runs and times candidates, and may die of it.

Takes pickled requests from standard input and answers each on what was standard output; whatever a
driver prints goes elsewhere. `measure.py` is the other end.
"""

from __future__ import annotations

import os
import pickle
import random
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from clnet.errors import ClnetError
from clnet.tuning.messages import Failure, Open, Race, Try
from clnet.tuning.noise import standard_error
from clnet.tuning.space import Point, Space

#: Of a point that is tried at least so many samples are taken, and more until their median is that
#: exact or so many seconds are over. One that takes this ``LONG`` is steady enough for one.
SAMPLES, EXACT, SECONDS, LONG = 7, 0.01, 0.3, 0.03
#: Samples that are taken only to learn about how long a run takes.
ESTIMATES = 3
#: Points kept ready for a race: their memory counts.
KEPT = 6


class Worker:
    """Answers requests about one workload after the other."""

    def __init__(self) -> None:
        self.bench: Any = None
        self.ready: dict[Point, tuple[Any, float]] = {}
        self.yardstick: tuple[Any, float] | None = None  #: the default, and seconds of it

    def answer(self, request: Open | Try | Race) -> Any:
        """Dispatch. A ClnetError is an answer too."""
        try:
            if isinstance(request, Open):
                return self.open(request)
            if isinstance(request, Try):
                return self.try_point(request)
            return self.race(request)
        except ClnetError as error:
            return Failure(" ".join(str(error).split())[:300])
        except MemoryError:
            return Failure("memory is exhausted")

    def open(self, request: Open) -> float:
        """Seconds of the default."""
        from clnet.runtime import blas
        from clnet.runtime.devices import devices
        from clnet.tuning.bench import Bench
        from clnet.tuning.clblast import ClblastKernel
        from clnet.tuning.clblast_bench import ClblastBench

        self.close()
        device = devices()[request.device]
        workload = request.workload
        for change in request.overrides:
            blas.override(device.cl_device, change)
        self.space = Space(workload.candidates(device.info), device.info)
        special = isinstance(workload.op, ClblastKernel)
        self.bench = (ClblastBench if special else Bench)(device, workload)
        seconds = self.try_point(Try(request.default, float("inf")))
        if seconds <= LONG and not special:  # there is no way back to CLBlast's own parameters
            self.yardstick = self.ready[request.default][0], seconds
        return seconds

    def try_point(self, request: Try) -> float:
        """Median of samples."""
        executable, seconds = self.prepare(request.point)
        if seconds <= min(request.hopeless, LONG):
            samples: list[float] = []
            deadline = time.monotonic() + SECONDS
            while len(samples) < SAMPLES or (
                standard_error(samples) > EXACT * seconds and time.monotonic() < deadline
            ):
                samples.append(self.steady_sample(executable, seconds))
            seconds = statistics.median(samples)
        if len(self.ready) > KEPT:
            slowest = max(list(self.ready)[1:], key=lambda p: self.ready[p][1])
            self.ready.pop(slowest)[0].release()
        return seconds

    def steady_sample(self, executable: Any, seconds: float) -> float:
        """A sample, on the scale of the default's time when the workload was taken up: machines
        grow slower and faster meanwhile."""
        sample: float = self.bench.sample(executable, seconds)
        if self.yardstick is None:
            return sample
        return sample * self.yardstick[1] / self.bench.sample(*self.yardstick)

    def race(self, request: Race) -> list[list[float]]:
        """Samples of each point."""
        for point in request.points:
            self.prepare(point)
        samples: list[list[float]] = [[] for _ in request.points]
        order, rng = list(range(len(samples))), random.Random(0)
        for _ in range(request.rounds):
            rng.shuffle(order)  # who runs before leaves the caches as they are
            for i in order:
                samples[i].append(self.bench.sample(*self.ready[request.points[i]]))
        return samples

    def prepare(self, point: Point) -> tuple[Any, float]:
        """A point's executable, checked, and about how long it takes."""
        if point not in self.ready:
            candidate = self.space.candidate(point)
            if candidate is None:
                raise ClnetError(f"no such point: {point}")
            executable = self.bench.prepare(candidate)
            try:
                self.bench.check(executable)
                seconds = self.bench.sample(executable, 1)
                # How many runs make a sample depends on it, and thereby the share of the last wait.
                for _ in range(ESTIMATES if seconds < LONG else 0):
                    seconds = min(seconds, self.bench.sample(executable, seconds))
            except ClnetError:
                executable.release()
                raise
            self.ready[point] = executable, seconds
        return self.ready[point]

    def close(self) -> None:
        """Drop the workload."""
        for executable, _ in self.ready.values():
            executable.release()
        self.ready.clear()
        self.yardstick = None
        if self.bench is not None:
            self.bench.close()


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(OSError):  # if memory runs out, this is the process to end
        Path("/proc/self/oom_score_adj").write_text("1000")
    worker = Worker()
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(worker.answer(request), answers)
        answers.flush()


if __name__ == "__main__":
    main()
