"""Races and samples on made-up times: no device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from clnet.tuning import race as racing
from clnet.tuning.noise import deviation, standard_error
from clnet.tuning.race import FEWEST_ROUNDS, ROUNDS, Outcome, race
from clnet.tuning.space import Point

POINTS = [Point("default"), Point("rival"), Point("other")]


class Noisy:
    """A machine on which every point takes its seconds, times what disturbs it."""

    def __init__(self, seconds: Sequence[float], disturb: Callable[[], np.ndarray]) -> None:
        self.seconds, self.disturb = np.array(seconds), disturb
        self.rounds: list[int] = []
        self.runners: list[list[int]] = []

    def race(self, points: Sequence[Point], rounds: int) -> list[list[float]]:
        numbers = [POINTS.index(p) for p in points]
        self.rounds.append(rounds)
        self.runners.append(numbers)
        taken = [(self.seconds * self.disturb())[numbers] for _ in range(rounds)]
        return np.array(taken).T.tolist()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock takes a tenth of a second."""
    ticks = itertools.count()
    monkeypatch.setattr(racing.time, "monotonic", lambda: next(ticks) / 10)


def run(machine: Noisy, once: float = 0.01) -> Outcome:
    return race(machine, POINTS[: len(machine.seconds)], once)  # type: ignore[arg-type]


def test_on_a_quiet_machine_a_race_is_short_and_small_leads_win() -> None:
    machine = Noisy([1.0, 0.99, 0.98], lambda: np.ones(3))
    outcome = run(machine)
    assert (outcome.winner, machine.rounds) == (2, [ROUNDS])
    assert outcome.share == pytest.approx(0.98) and outcome.seconds == 1.0


def test_on_a_noisy_machine_it_goes_on_and_still_finds_the_faster() -> None:
    rng = np.random.default_rng(1)
    machine = Noisy([1.0, 0.9], lambda: rng.lognormal(0, 0.25, 2))
    outcome = run(machine)
    assert outcome.winner == 1 and len(machine.rounds) > 5
    assert outcome.share == pytest.approx(0.9, abs=0.07)


def test_those_ahead_are_told_apart() -> None:
    won = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        machine = Noisy([1.0, 0.5, 0.485], lambda rng=rng: rng.lognormal(0, [0.03, 0.08, 0.08]))
        won.append(run(machine).winner)
    assert won.count(2) >= 18


def test_who_is_surely_behind_drops_out() -> None:
    rng = np.random.default_rng(3)
    machine = Noisy([1.0, 2.0, 0.5], lambda: rng.lognormal(0, 0.1, 3))
    assert run(machine).winner == 2
    assert machine.runners[0] == [0, 1, 2]
    assert machine.runners[1:] == [[0, 2]] * (len(machine.runners) - 1) != []


def test_of_equals_the_default_wins_whatever_the_noise() -> None:
    won = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        won.append(run(Noisy([1.0, 1.0], lambda rng=rng: rng.lognormal(0, 0.2, 2))).winner)
    assert sum(won) <= 4


def test_a_clock_that_slows_down_is_told_and_decides_nothing() -> None:
    speed = iter(np.linspace(1, 2, 1000))
    outcome = run(Noisy([1.0, 0.95], lambda: np.full(2, next(speed))))
    assert outcome.winner == 1 and outcome.share == pytest.approx(0.95)
    assert outcome.drift > 0


def test_what_runs_long_has_few_rounds() -> None:
    machine = Noisy([1.0, 0.5], lambda: np.ones(2))
    assert run(machine, once=60.0).winner == 1
    assert machine.rounds == [FEWEST_ROUNDS]


def test_the_standard_error_is_that_of_medians() -> None:
    rng = np.random.default_rng(0)
    medians = [np.median(rng.normal(5, 1, 50)) for _ in range(2000)]
    guessed = np.median([standard_error(rng.normal(5, 1, 50).tolist()) for _ in range(500)])
    assert guessed == pytest.approx(np.std(medians), rel=0.15)
    assert deviation([1.0, 2.0, 3.0, 10.0, 2.0]) == 1.0
