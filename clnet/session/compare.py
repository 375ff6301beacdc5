"""Compiled models timed against each other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from clnet.session.compiled import Compiled
from clnet.tuning.budget import Budget
from clnet.tuning.noise import standard_error

#: Rounds in which models are compared, and the least seconds of one model's part of a round. The
#: shorter the parts, the more alike is what disturbs them: 25 of 0.08 s are three times less exact.
#: Each begins with a run that does not count: the others' weights are in the caches then.
ROUNDS, ROUND_SECONDS = 200, 0.01
#: Where runs take long, there are fewer rounds, as many as these seconds hold.
FEWEST_ROUNDS, SECONDS = 3, 12.0


def compare(models: Sequence[Compiled], budget: Budget | None = None) -> tuple[list[float], float]:
    """Median seconds of a run of the first; for each other that times the median ratio of the two
    within a round, so that a machine that grows slower or faster does not count; and the last's
    standard error. Raises TuningAbandonedError once ``budget`` is."""
    budget = budget or Budget()
    for model in models:
        for region in model.inputs.values():
            with model.executable.map(region, write=True) as view:
                view[...] = 0 if view.dtype.kind != "f" else np.float32(0.5)
        seconds_per_run(model, 1)
    once = [seconds_per_run(m, 1) for m in models]
    count = max(1, round(ROUND_SECONDS / min(once)))
    rounds = max(FEWEST_ROUNDS, min(ROUNDS, int(SECONDS / ((1 + count) * sum(once)))))
    samples: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for model, mine in zip(models, samples, strict=True):
            budget.check()
            seconds_per_run(model, 1)
            mine.append(seconds_per_run(model, count))
    first = statistics.median(samples[0])
    ratios = [[s / a for a, s in zip(samples[0], mine, strict=True)] for mine in samples]
    medians = [statistics.median(r) for r in ratios]
    return [first * m for m in medians], first * standard_error(ratios[-1])


def seconds_per_run(model: Compiled, count: int) -> float:
    """Seconds per run over ``count`` runs, each waited for."""
    started = time.perf_counter()
    for _ in range(count):
        model.executable.run()
        for region in model.outputs.values():
            with model.executable.map(region, write=False):
                pass
    return (time.perf_counter() - started) / count
