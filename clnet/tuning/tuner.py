"""Tunes the workloads of a model within a budget of seconds, the most expensive ones first."""

from __future__ import annotations

import datetime
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata

from clnet.calls import Candidate, Workload
from clnet.runtime.devices import Device
from clnet.tuning.bench import is_tunable
from clnet.tuning.choice import RecordedChoice, source_digest
from clnet.tuning.measure import Measurer, MeasuringError
from clnet.tuning.record import DeviceKey, TuningRecord, WorkloadKey
from clnet.tuning.search import LEVELS, Strategy
from clnet.tuning.space import Point, Space

#: Rounds of the race between the best points and the default.
ROUNDS = 9
FINALISTS = 3
#: What is slower than this times the best is not measured further.
HOPELESS = 1.5
#: A change of the default's time within one race beyond this is told.
DRIFT = 0.1


@dataclass
class Tuned:
    """How the tuning of one workload went. Seconds per run."""

    workload: Workload
    point: Point
    seconds: float
    spread: float
    default_seconds: float
    trials: int
    failures: dict[Point, str] = field(default_factory=dict)
    drift: float = 0.0
    record: TuningRecord | None = None
    default_record: TuningRecord | None = None  #: what undoes ``record``

    @property
    def gain(self) -> float:
        """How many times faster than the default."""
        return self.default_seconds / self.seconds


@dataclass(frozen=True)
class Job:
    """A workload, and how often a model runs it."""

    workload: Workload
    candidates: tuple[Candidate, ...]
    count: int = 1


def jobs(lowered: Sequence[tuple[Workload, Sequence[Candidate]]]) -> list[Job]:
    """A model's nodes as different workloads that have something to choose."""
    found: dict[WorkloadKey, Job] = {}
    for workload, candidates in lowered:
        key = WorkloadKey.of(workload)
        if key in found:
            job = found[key]
            found[key] = Job(job.workload, job.candidates, job.count + 1)
        elif is_tunable(candidates):
            found[key] = Job(workload, tuple(candidates))
    return list(found.values())


class Tuner:
    """Tunes workloads on a device. ``keep`` gets every record as soon as it is made; ``say`` one
    line about what is worth knowing; ``known`` are earlier records, from which searches start."""

    def __init__(
        self,
        device: Device,
        measurer: Measurer,
        level: str = "normal",
        keep: Callable[[TuningRecord], None] = lambda record: None,
        say: Callable[[str], None] = lambda line: None,
        known: RecordedChoice | None = None,
    ) -> None:
        self.device, self.measurer, self.level = device, measurer, level
        self.keep, self.say = keep, say
        self.known = known or RecordedChoice(device.info)

    def tune(
        self, work: Sequence[Job], budget: float, progress: Callable[[Job, float], None]
    ) -> list[Tuned]:
        """Tune until the work is done or ``budget`` seconds have passed. ``progress`` hears of each
        job that is done, and the share of the model's time that it stands for.

        Each workload may take the share of the budget that it has of the model's time; what it
        leaves goes to the next ones.
        """
        ends = time.monotonic() + budget
        costs = self._costs(work, ends)
        remaining = sum(costs.values())
        results = []
        for i, (index, cost) in enumerate(sorted(costs.items(), key=lambda item: -item[1])):
            left = ends - time.monotonic()
            if left <= 0:
                self.say(f"out of time: {len(costs) - i} of {len(work)} workloads are not tuned")
                break
            share = cost / remaining if remaining else 1.0
            results.append(self.tune_one(work[index], left * share))
            progress(work[index], cost / sum(costs.values()))
            remaining -= cost
        self._tell_drift([r.drift for r in results])
        return results

    def _tell_drift(self, drifts: list[float]) -> None:
        unsteady = [d for d in drifts if d > DRIFT]
        if unsteady:
            self.say(
                f"in {len(unsteady)} of {len(drifts)} races the default's own time changed, by up"
                f" to {max(unsteady):.0%}: is the clock fixed, and the machine idle?"
            )

    def _costs(self, work: Sequence[Job], ends: float) -> dict[int, float]:
        """Seconds of a model's run that each job stands for, by its number."""
        costs = {}
        for index, job in enumerate(work):
            if time.monotonic() > ends:
                break
            try:
                space = Space(job.candidates, self.device.info)
                costs[index] = job.count * self.measurer.open(job.workload, space.defaults[0])
            except MeasuringError as error:
                self.say(f"{job.workload.op.label}: the default fails: {error}")
        return costs

    def tune_one(self, job: Job, budget: float) -> Tuned:
        """Search, race the best, keep a record."""
        ends = time.monotonic() + budget
        space = Space(job.candidates, self.device.info)
        default = space.defaults[0]
        times = {default: self.measurer.open(job.workload, default)}
        failures: dict[Point, str] = {}
        self._search(job, space, times, failures, ends)
        finalists = sorted(times, key=times.__getitem__)[:FINALISTS]
        tuned = self._race(job, default, [p for p in finalists if p != default], failures)
        tuned.trials = len(times) + len(failures)
        tuned.record = self._record(tuned, space)
        undone = replace(tuned, point=default, seconds=tuned.default_seconds)
        tuned.default_record = self._record(undone, space)
        self.keep(tuned.record)
        return tuned

    def _search(
        self, job: Job, space: Space, times: dict[Point, float], failures: dict[Point, str],
        ends: float,
    ) -> None:  # fmt: skip
        strategy, most = self._strategy()
        search = strategy(space, self.known.starts(job.workload), random.Random(0))
        try:
            point = next(search)
            while len(times) + len(failures) < most and time.monotonic() < ends:
                if point not in times and point not in failures:
                    try:
                        hopeless = HOPELESS * min(times.values())
                        times[point] = self.measurer.measure(point, hopeless)
                    except MeasuringError as error:
                        failures[point] = str(error)
                point = search.send(times.get(point, float("inf")))
        except StopIteration:
            pass

    def _strategy(self) -> tuple[Strategy, int]:
        """How points are chosen, and the most of them."""
        return LEVELS[self.level]

    def _race(
        self, job: Job, default: Point, finalists: list[Point], failures: dict[Point, str]
    ) -> Tuned:
        """The finalist that beats the default by more than the noise, or the default."""
        rivals = list(finalists)
        while True:
            try:
                samples = self.measurer.race([default, *rivals], ROUNDS)
                break
            except MeasuringError as error:  # one that worked when it was tried
                if not rivals:
                    raise
                failures[rivals.pop()] = f"in the race: {error}"
        medians = [statistics.median(s) for s in samples]
        spreads = [
            statistics.median(abs(x - m) for x in s) for s, m in zip(samples, medians, strict=True)
        ]
        best = min(range(len(medians)), key=medians.__getitem__)
        gained = medians[0] - medians[best]
        if gained <= spreads[0] + spreads[best]:
            best = 0
        half = ROUNDS // 2
        early, late = statistics.median(samples[0][:half]), statistics.median(samples[0][-half:])
        drift = abs(late / early - 1)
        point = [default, *rivals][best]
        return Tuned(
            job.workload, point, medians[best], spreads[best], medians[0], 0, failures, drift
        )

    def _record(self, tuned: Tuned, space: Space) -> TuningRecord:
        candidate = space.candidate(tuned.point)
        assert candidate is not None
        return TuningRecord(
            WorkloadKey.of(tuned.workload),
            DeviceKey.of(self.device.info),
            source_digest(candidate),
            tuned.point,
            tuned.seconds,
            tuned.spread,
            tuned.default_seconds,
            datetime.date.today().isoformat(),
            metadata.version("clnet"),
        )
