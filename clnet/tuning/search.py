"""Strategies that choose which points to try: generators that are sent the seconds of each point
they yield, infinite where it failed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator

from clnet.tuning.space import LOCAL, Point, Space

Search = Generator[Point, float, None]
#: A strategy: from a space, points that are known to be good elsewhere, and a source of chance.
Strategy = Callable[[Space, "list[Point]", random.Random], Search]

#: A candidate is worth a closer look where its default is this much slower than the best found.
PROMISING = 1.4
#: Options of a parameter that are all tried: its values may have no order.
FEW = 3


def exhaustive(space: Space, starts: list[Point], rng: random.Random) -> Search:
    """Every point."""
    for point in space.points():  # noqa: UP028  (an iterator cannot be sent to)
        yield point


def at_random(space: Space, starts: list[Point], rng: random.Random) -> Search:
    """Every point, in random order."""
    points = list(space.points())
    rng.shuffle(points)
    for point in points:  # noqa: UP028
        yield point


def descend(space: Space, starts: list[Point], rng: random.Random) -> Search:
    """Coordinate descent from the best of each candidate's default and the given starts.

    One parameter after the other moves to its neighbouring options for as long as that is faster,
    until none does. Then the next best candidate has its turn, if it is not far behind.
    """
    known: dict[Point, float] = {}

    def seconds(point: Point) -> Generator[Point, float, float]:
        if point not in known:
            known[point] = (yield point) if space.candidate(point) else math.inf
        return known[point]

    for point in dict.fromkeys([*starts, *space.defaults]):
        yield from seconds(point)
    by_candidate = {
        name: min((p for p in known if p.candidate == name), key=known.__getitem__)
        for name in space.options
    }
    for start in sorted(by_candidate.values(), key=known.__getitem__):
        if known[start] > PROMISING * min(known.values()):
            break
        best, stale = start, 0
        names = list(space.options[start.candidate])
        while names and stale < len(names):
            name = names.pop(0)
            names.append(name)
            moved = yield from _along(space, best, name, seconds)
            stale = 0 if moved != best else stale + 1
            best = moved


def _along(
    space: Space, best: Point, name: str, seconds: Callable[[Point], Generator[Point, float, float]]
) -> Generator[Point, float, Point]:
    """The best point that changes of one parameter lead to: each option of few, else neighbours."""
    options = sorted(space.options[best.candidate][name])
    if len(options) <= FEW:
        for option in options:
            point = best.changed(name, option)
            if (yield from seconds(point)) < (yield from seconds(best)):
                best = point
        return best
    if name == LOCAL:  # the driver's choice is no neighbour of any width
        options.remove(0)
        if dict(best.values)[name] == 0:
            point = best.changed(name, options[len(options) // 2])
            if (yield from seconds(point)) >= (yield from seconds(best)):
                return best
            best = point
    for step in (1, -1):
        while True:
            position = options.index(dict(best.values)[name]) + step
            if not 0 <= position < len(options):
                break
            neighbour = best.changed(name, options[position])
            if (yield from seconds(neighbour)) >= (yield from seconds(best)):
                break
            best = neighbour
    return best


#: How thorough a tuning is: a strategy, and the most points it may try per workload.
LEVELS: dict[str, tuple[Strategy, int]] = {
    "fast": (descend, 12),
    "normal": (descend, 60),
    "exhaustive": (exhaustive, 1 << 30),
}
