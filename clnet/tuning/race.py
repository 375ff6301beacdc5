"""A race of points against the first of them, the default: who wins, and how sure that is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from clnet.tuning.measure import Measurer
from clnet.tuning.noise import deviation, standard_error
from clnet.tuning.space import Point

#: Rounds that are run at once: fewer where one takes long.
ROUNDS, FEWEST_ROUNDS = 15, 3
#: A race ends when the leader's time is known so exactly, or after so many seconds at the latest.
EXACT, SECONDS = 0.01, 4.0
#: Who wins must be ahead by so many standard errors.
SURE = 2.0


@dataclass(frozen=True)
class Outcome:
    """The number of the ``winner``, its time as a share of the first's, that share's ``spread``
    (median deviation), ``seconds`` of the first, and how much these changed meanwhile, as a share.
    """

    winner: int
    share: float
    spread: float
    seconds: float
    drift: float


def race(
    measurer: Measurer, points: Sequence[Point], once: float, seconds: float = SECONDS
) -> Outcome:
    """Run the points in turn, for ``seconds`` or little more; a round takes about ``once``. What
    counts is the ratio of times within a round, whatever the clock does meanwhile. Points that are
    surely behind the leader drop out, so that time is left to tell those ahead apart. The first
    stays, and wins unless another is ahead by more than the noise. Raises MeasuringError."""
    rounds = max(FEWEST_ROUNDS, min(ROUNDS, int(SECONDS / once)))
    samples: list[list[float]] = [[] for _ in points]
    running = list(range(len(points)))
    deadline = time.monotonic() + seconds
    while True:
        new = measurer.race([points[i] for i in running], rounds)
        for i, taken in zip(running, new, strict=True):
            samples[i] += taken
        leader = min(running, key=lambda i: statistics.median(_paired(samples[i], samples[0])))
        gaps = {i: _paired(samples[i], samples[leader]) for i in running if i not in (0, leader)}
        near = [i for i, gap in gaps.items() if statistics.median(gap) - 1 <= _noise(gap)]
        running = list(dict.fromkeys([0, leader, *near]))
        share = _paired(samples[leader], samples[0])
        errors = [standard_error(share), *(standard_error(gaps[i]) for i in near)]
        if max(errors) <= EXACT or time.monotonic() >= deadline:
            break
    first = samples[0]
    drift = _change(first)
    seconds = statistics.median(first)
    if 1 - statistics.median(share) <= _noise(share):
        return Outcome(0, 1.0, deviation(first) / seconds, seconds, drift)
    return Outcome(leader, statistics.median(share), deviation(share), seconds, drift)


def _noise(ratios: Sequence[float]) -> float:
    """What a lead by these ratios must be more than."""
    return SURE * standard_error(ratios)


def _change(samples: Sequence[float]) -> float:
    """By which share later samples differ from earlier ones."""
    half = max(1, len(samples) // 2)
    return abs(statistics.median(samples[-half:]) / statistics.median(samples[:half]) - 1)


def _paired(samples: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(samples, others, strict=True)]
