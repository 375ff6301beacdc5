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
EXACT, SECONDS = 0.01, 2.0
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
    counts is the ratio of times within a round, whatever the clock does meanwhile. The first wins
    unless another is ahead by more than the noise. Raises MeasuringError."""
    rounds = max(FEWEST_ROUNDS, min(ROUNDS, int(SECONDS / once)))
    samples: list[list[float]] = [[] for _ in points]
    deadline = time.monotonic() + seconds
    while True:
        for mine, new in zip(samples, measurer.race(points, rounds), strict=True):
            mine += new
        shares = [_paired(mine, samples[0]) for mine in samples]
        leader = min(range(len(points)), key=lambda i: statistics.median(shares[i]))
        share = statistics.median(shares[leader])
        error = standard_error(shares[leader])
        if error <= EXACT or time.monotonic() >= deadline:
            break
    first = samples[0]
    median = statistics.median(first)
    spread = deviation(shares[leader])
    if 1 - share <= SURE * error:
        leader, share, spread = 0, 1.0, deviation(first) / median
    half = max(1, len(first) // 2)
    drift = abs(statistics.median(first[-half:]) / statistics.median(first[:half]) - 1)
    return Outcome(leader, share, spread, median, drift)


def _paired(samples: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(samples, others, strict=True)]
