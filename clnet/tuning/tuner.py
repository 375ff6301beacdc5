"""Tunes the workloads of a model within a budget of seconds, the most expensive ones first."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata

from clnet.calls import Candidate, Workload
from clnet.runtime.devices import Device
from clnet.tuning.bench import is_tunable
from clnet.tuning.budget import Budget
from clnet.tuning.choice import RecordedChoice, source_digest
from clnet.tuning.measure import Measurer, MeasuringError
from clnet.tuning.race import SECONDS, race
from clnet.tuning.record import DeviceKey, TuningRecord, WorkloadKey
from clnet.tuning.search import LEVELS, Strategy
from clnet.tuning.space import Point, Space

#: Points that were the fastest when they were tried: a single trial is noisy.
FINALISTS = 8
#: The share of a workload's time that is for the race between them.
RACE = 0.25
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
    times: dict[Point, float] = field(default_factory=dict)  #: of all points that were right
    failures: dict[Point, str] = field(default_factory=dict)
    drift: float = 0.0
    share: float = 0.0  #: of the untuned model's time
    record: TuningRecord | None = None
    default_record: TuningRecord | None = None  #: what undoes ``record``

    @property
    def gain(self) -> float:
        """How many times faster than the default."""
        return self.default_seconds / self.seconds

    @property
    def trials(self) -> int:
        """Points that were tried."""
        return len(self.times) + len(self.failures)


@dataclass(frozen=True)
class Progress:
    """Where a tuning stands: ``trials`` of a layer's points, seconds of its default and of the best
    so far, seconds ``left`` in all, and the ``share`` of the whole that is done."""

    layer: str
    trials: int
    default: float
    best: float
    left: float
    share: float


#: Hears of every trial.
Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Job:
    """A workload, and how often a model runs it."""

    workload: Workload
    candidates: tuple[Candidate, ...]
    count: int = 1

    @property
    def label(self) -> str:
        """For people: the op and the shape of its output."""
        return f"{self.workload.op.label} {'x'.join(map(str, self.workload.output.shape))}"


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
        budget: Budget | None = None,
        keep: Callable[[TuningRecord], None] = lambda record: None,
        say: Callable[[str], None] = lambda line: None,
        known: RecordedChoice | None = None,
        watch: Watch = lambda progress: None,
    ) -> None:
        self.device, self.measurer, self.level = device, measurer, level
        self.budget = budget or Budget()
        self.keep, self.say, self.watch = keep, say, watch
        self.known = known or RecordedChoice(device.info)

    def tune(self, work: Sequence[Job]) -> list[Tuned]:
        """Tune until the work is done or the budget is spent.

        Each workload may take the share of the budget that it has of the model's time; what it
        leaves goes to the next ones.
        """
        costs = self._costs(work)
        total = sum(costs.values())
        done = 0.0
        results: list[Tuned] = []
        for index, cost in sorted(costs.items(), key=lambda item: -item[1]):
            left = self.budget.left
            if left <= 0:
                break
            tuned = self.tune_one(work[index], left * cost / (total - done), done / total)
            tuned.share = cost / total
            results.append(tuned)
            done += cost
        if len(results) < len(work):
            reason = "stopped" if self.budget.stopped else "out of time"
            self.say(f"{reason}: {len(work) - len(results)} of {len(work)} workloads are not tuned")
        self._tell_drift([r.drift for r in results])
        return results

    def _tell_drift(self, drifts: list[float]) -> None:
        unsteady = [d for d in drifts if d > DRIFT]
        if unsteady:
            self.say(
                f"in {len(unsteady)} of {len(drifts)} races the default's own time changed, by up"
                f" to {max(unsteady):.0%}: is the clock fixed, and the machine idle?"
            )

    def _costs(self, work: Sequence[Job]) -> dict[int, float]:
        """Seconds of a model's run that each job stands for, by its number."""
        costs = {}
        for index, job in enumerate(work):
            if self.budget.left <= 0:
                break
            try:
                space = Space(job.candidates, self.device.info)
                costs[index] = job.count * self.measurer.open(job.workload, space.defaults[0])
            except MeasuringError as error:
                self.say(f"{job.workload.op.label}: the default fails: {error}")
        return costs

    def tune_one(self, job: Job, seconds: float = math.inf, done: float = 0.0) -> Tuned:
        """Search, race the best, keep a record. ``done`` is the share of all work that is."""
        budget = self.budget.part(seconds * (1 - RACE))
        space = Space(job.candidates, self.device.info)
        default = space.defaults[0]
        times = {default: self.measurer.open(job.workload, default)}
        failures: dict[Point, str] = {}

        def tell() -> None:
            best = min(times.values())
            trials = len(times) + len(failures)
            self.watch(Progress(job.label, trials, times[default], best, self.budget.left, done))

        self._search(job, space, times, failures, budget, tell)
        finalists = sorted(times, key=times.__getitem__)[:FINALISTS]
        finalists = [default, *(p for p in finalists if p != default)]
        tuned = self._race(job, finalists, times, failures, min(SECONDS, seconds * RACE))
        tuned.record = self._record(tuned, space)
        undone = replace(tuned, point=default, seconds=tuned.default_seconds)
        tuned.default_record = self._record(undone, space)
        self.keep(tuned.record)
        return tuned

    def _search(
        self, job: Job, space: Space, times: dict[Point, float], failures: dict[Point, str],
        budget: Budget, tell: Callable[[], None],
    ) -> None:  # fmt: skip
        strategy, most = self._strategy()
        search = strategy(space, self.known.starts(job.workload), random.Random(0))
        tell()
        try:
            point = next(search)
            while len(times) + len(failures) < most and budget.left > 0:
                if point not in times and point not in failures:
                    try:
                        hopeless = HOPELESS * min(times.values())
                        times[point] = self.measurer.measure(point, hopeless)
                    except MeasuringError as error:
                        failures[point] = str(error)
                    tell()
                point = search.send(times.get(point, math.inf))
        except StopIteration:
            pass

    def _strategy(self) -> tuple[Strategy, int]:
        """How points are chosen, and the most of them."""
        return LEVELS[self.level]

    def _race(
        self, job: Job, points: list[Point], times: dict[Point, float],
        failures: dict[Point, str], seconds: float,
    ) -> Tuned:  # fmt: skip
        """The point that beats the default, which is the first, by more than the noise, or that."""
        while True:
            try:
                once = sum(times[p] for p in points)
                outcome = race(self.measurer, points, once, seconds)
                break
            except MeasuringError as error:  # one that worked when it was tried
                if len(points) == 1:
                    raise
                failures[points[-1]] = f"in the race: {error}"
                del times[points.pop()]
        of_default = outcome.seconds
        return Tuned(
            job.workload, points[outcome.winner], outcome.share * of_default,
            outcome.spread * of_default, of_default, times, failures, outcome.drift,
        )  # fmt: skip

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
