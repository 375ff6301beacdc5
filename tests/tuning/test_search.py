"""Strategies on made-up times: no device."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from clnet.calls import Candidate, KernelCall, Values, tunable
from clnet.device_info import DeviceInfo
from clnet.tuning.search import Strategy, at_random, descend, descend_again, exhaustive
from clnet.tuning.space import Point, Space

OPTIONS = {"TILE": (4, 1, 2, 8, 16), "ROWS": (1, 2, 3, 4, 5, 6, 7, 8), "ITEMS": (8, 2, 4, 16, 32)}


def space() -> Space:
    def make(values: Values) -> Candidate | None:
        if values["TILE"] * values["ROWS"] > 64:
            return None
        return Candidate("tiled", (KernelCall("copy", "copy", (), (64,)),))

    tiled = tunable(make, OPTIONS)
    assert tiled is not None
    plain = Candidate("plain", (KernelCall("copy", "copy", (), (64,)),))
    return Space([plain, tiled], DeviceInfo(kind="gpu"))


def seconds(point: Point) -> float:
    values = dict(point.values)
    if point.candidate == "plain":
        return 3.0
    width = values["LOCAL"]
    local = 0.02 * math.log2(64 / width) if width else 0.1
    return (
        1 + abs(values["TILE"] - 8) / 8 + abs(values["ROWS"] - 6) / 6
        + abs(values["ITEMS"] - 16) / 32 + local
    )  # fmt: skip


def run(
    strategy: Strategy,
    fails: Point | None = None,
    over: Space | None = None,
    cost: Callable[[Point], float] = seconds,
) -> list[Point]:
    tried = []
    search = strategy(over or space(), [], random.Random(0))
    try:
        point = next(search)
        while True:
            tried.append(point)
            point = search.send(float("inf") if point == fails else cost(point))
    except StopIteration:
        return tried


@pytest.mark.parametrize("strategy", [exhaustive, at_random])
def test_all_points_are_tried_once(strategy: Strategy) -> None:
    tried = run(strategy)
    assert sorted(map(str, tried)) == sorted(map(str, space().points()))


def test_descent_finds_the_best_with_few_trials() -> None:
    tried = run(descend)
    assert len(tried) == len(set(tried)) < space().size / 10
    assert min(map(seconds, tried)) == min(map(seconds, space().points()))


def test_descent_goes_on_where_points_fail() -> None:
    best = min(space().points(), key=seconds)
    tried = run(descend, fails=best)
    assert seconds(min((p for p in tried if p != best), key=seconds)) < 1.3


def test_only_points_that_fit_are_tried() -> None:
    assert all(space().candidate(p) is not None for p in run(descend))


def test_where_one_side_of_a_tile_grows_the_other_gives_way() -> None:
    """From 1 x 12 to 3 x 3 there is no way by one side at a time: 2 x 12 does not fit."""

    def make(values: Values) -> Candidate | None:
        if values["ROWS"] * values["COLUMNS"] > 12:
            return None
        return Candidate("tile", (KernelCall("copy", "copy", (), (3,)),))

    def cost(point: Point) -> float:
        values = dict(point.values)
        return 1 + abs(values["ROWS"] - 3) + abs(values["COLUMNS"] - 3) / 4

    tile = tunable(make, {"ROWS": (1, 2, 3, 4), "COLUMNS": (12, *range(1, 12))})
    assert tile is not None
    found = Space([tile], DeviceInfo(kind="cpu"))
    tried = run(descend, over=found, cost=cost)
    assert all(found.candidate(p) is not None for p in tried)
    assert dict(min(tried, key=cost).values) | {"LOCAL": 0} == {"ROWS": 3, "COLUMNS": 3, "LOCAL": 0}


def test_descending_again_tries_every_point_once() -> None:
    tried = run(descend_again)
    assert len(tried) == len(set(tried))
    assert set(tried) >= {p for p in space().points() if p.candidate == "tiled"}


@pytest.mark.parametrize(
    "point",
    [
        Point("absent"),
        Point.of("tiled", {"TILE": 4}),
        Point.of("tiled", {"TILE": 5, "ROWS": 1, "ITEMS": 8, "LOCAL": 0}),
        Point.of("tiled", {"TILE": 16, "ROWS": 8, "ITEMS": 8, "LOCAL": 0}),
        Point.of("tiled", {"TILE": 4, "ROWS": 1, "ITEMS": 8, "LOCAL": 0, "MORE": 1}),
    ],
    ids=str,
)
def test_what_is_no_point_is_no_candidate(point: Point) -> None:
    assert space().candidate(point) is None


def test_a_point_sets_the_work_group() -> None:
    point = Point.of("plain", {"LOCAL": 32})
    candidate = space().candidate(point)
    assert candidate is not None
    (call,) = candidate.calls
    assert isinstance(call, KernelCall) and call.local_size == (32,)
