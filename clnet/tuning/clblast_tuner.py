"""Tunes CLBlast's kernels on a device within a budget of seconds."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence

from clnet.calls import Workload
from clnet.runtime.blas import Override
from clnet.runtime.devices import Device
from clnet.tuning.budget import Budget
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.clblast import override_of, overrides, workload_of
from clnet.tuning.measure import SECONDS, Measurer, MeasuringError
from clnet.tuning.record import TuningRecord
from clnet.tuning.search import LEVELS, Search, Strategy, descend
from clnet.tuning.space import Point, Space
from clnet.tuning.tuner import Job, Tuned, Tuner, Watch

#: Shares of the budget: the spaces differ in size, and products matter most.
SHARES = {"Xgemm": 12, "XgemmDirect": 5, "GemmRoutine": 3}
#: What GemmRoutine decides between.
PRODUCTS = ("Xgemm", "XgemmDirect")
#: Points of a random sample, the best of which is a new start.
SAMPLE = 8
#: How many times slower than the best a variant's best may be to be sampled, too.
WORTH_A_SAMPLE = 2.0
#: So many draws without a point that fits and is new: the space is exhausted, or nearly.
DRAWS = 20_000


def descend_again(space: Space, starts: list[Point], rng: random.Random) -> Search:
    """Coordinate descent, then from the best of a random sample, again and again: values that must
    fit together hold a single descent up."""
    known: dict[Point, float] = {}

    def remember(search: Search) -> Generator[Point, float, None]:
        try:
            point = next(search)
            while True:
                if point not in known:
                    known[point] = yield point
                point = search.send(known[point])
        except StopIteration:
            return

    yield from remember(descend(space, starts, rng))
    while sample := _sample(space, known, rng):
        for point in sample:
            known[point] = yield point
        yield from remember(descend(space, [min(sample, key=known.__getitem__)], rng))


def _sample(space: Space, known: dict[Point, float], rng: random.Random) -> list[Point]:
    """Points of promising variants that fit and are not known yet."""
    found: list[Point] = []
    limit = WORTH_A_SAMPLE * min(known.values())
    names = sorted({p.candidate for p, seconds in known.items() if seconds <= limit})
    for _ in range(DRAWS):
        name = rng.choice(names)
        point = Point.of(name, {k: rng.choice(v) for k, v in space.options[name].items()})
        if point not in known and point not in found and space.candidate(point) is not None:
            found.append(point)
            if len(found) == SAMPLE:
                break
    return found


class ClblastMeasurer(Measurer):
    """Two children: one computes as CLBlast does by itself, since there is no way back to that
    where something was overridden."""

    def __init__(
        self, device_index: int, seconds: float = SECONDS, budget: Budget | None = None
    ) -> None:
        super().__init__(device_index, seconds, budget=budget)
        self._untuned = Measurer(device_index, seconds, budget=budget)

    def open(self, workload: Workload, default: Point) -> float:
        """As any measurer, under the overrides that the workload's kernel asks for."""
        self.close()
        self.overrides = self._untuned.overrides = workload.op.overrides
        self._untuned.open(workload, default)
        return super().open(workload, default)

    def race(self, points: Sequence[Point], rounds: int) -> list[list[float]]:
        """Samples of every point, taken in turn; the first is CLBlast's own."""
        samples: list[list[float]] = [[] for _ in points]
        for _ in range(rounds):
            for mine, (sample,) in zip(samples, self._round(points), strict=True):
                mine.append(sample)
        return samples

    def close(self) -> None:
        """End the children."""
        self._untuned.close()
        super().close()

    def _round(self, points: Sequence[Point]) -> list[list[float]]:
        tuned = super().race(points[1:], 1) if len(points) > 1 else []
        return [*self._untuned.race(points[:1], 1), *tuned]


class ClblastTuner(Tuner):
    """As for layers, by another strategy."""

    def _strategy(self) -> tuple[Strategy, int]:
        return descend_again, LEVELS[self.level][1]


def tune_clblast(
    device: Device,
    todo: Sequence[tuple[str, str]],
    budget: Budget,
    level: str,
    keep: Callable[[TuningRecord], None],
    say: Callable[[str], None],
    known: RecordedChoice,
    watch: Watch = lambda progress: None,
) -> list[Tuned]:
    """Tune kernels, given by name and dtype, within a budget; the rest as Tuner has it.
    GemmRoutine comes after what it decides between, as in ``clblast.kernels``."""
    holding = {(o.kernel, o.dtype): o for o in overrides(known)}
    results = []
    with ClblastMeasurer(device.index, budget=budget) as measurer:
        tuner = ClblastTuner(device, measurer, level, budget, keep, say, known, watch)
        for number, (kernel, dtype) in enumerate(todo):
            if budget.left <= 0:
                reason = "stopped" if budget.stopped else "out of time"
                say(f"{reason}: {len(todo) - number} of {len(todo)} kernels are not tuned")
                break
            workload = workload_of(kernel, dtype, _beside(kernel, dtype, holding))
            shares = [SHARES.get(k, 1) for k, _ in todo[number:]]
            job = Job(workload, tuple(workload.candidates(device.info)))
            try:
                seconds = budget.left * shares[0] / sum(shares)
                tuned = tuner.tune_one(job, seconds, number / len(todo))
            except MeasuringError as error:
                say(f"{workload.op.label} {dtype}: {error}")
                continue
            results.append(tuned)
            change = override_of(kernel, dtype, tuned.point)
            if change is not None:
                holding[kernel, dtype] = change
    return results


def _beside(
    kernel: str, dtype: str, holding: dict[tuple[str, str], Override]
) -> tuple[Override, ...]:
    if kernel != "GemmRoutine":
        return ()
    return tuple(holding[k, dtype] for k in PRODUCTS if (k, dtype) in holding)
