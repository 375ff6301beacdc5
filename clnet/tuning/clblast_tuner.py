"""Tunes CLBlast's kernels on a device within a budget of seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clnet.calls import Workload
from clnet.runtime.blas import Override
from clnet.runtime.devices import Device
from clnet.tuning.budget import Budget
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.clblast import override_of, overrides, workload_of
from clnet.tuning.measure import SECONDS, Measurer, MeasuringError
from clnet.tuning.record import TuningRecord
from clnet.tuning.search import LEVELS, Strategy, descend_again
from clnet.tuning.space import Point
from clnet.tuning.tuner import Job, Tuned, Tuner, Watch

#: Shares of the budget: the spaces differ in size, and products matter most.
SHARES = {"Xgemm": 12, "XgemmDirect": 5, "GemmRoutine": 3}
#: What GemmRoutine decides between.
PRODUCTS = ("Xgemm", "XgemmDirect")


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
