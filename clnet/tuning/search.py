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
#: Points of a random sample, the best of which is a new start.
SAMPLE = 8
#: How many times slower than the best a candidate's best may be to be sampled, too.
WORTH_A_SAMPLE = 2.0
#: So many draws without a point that fits and is new: the space is exhausted, or nearly.
DRAWS = 20_000


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
            point = _fitting(space, best.changed(name, option), name)
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
            neighbour = _fitting(space, best.changed(name, options[position]), name)
            if (yield from seconds(neighbour)) >= (yield from seconds(best)):
                break
            best = neighbour
    return best


def _fitting(space: Space, point: Point, name: str) -> Point:
    """The point; or, where its values do not fit together, as the sides of a tile may not, the one
    that does and differs in another parameter than ``name`` by the fewest options."""
    if space.candidate(point) is not None:
        return point
    values, others = dict(point.values), []
    for other, options in space.options[point.candidate].items():
        ordered = sorted(options)
        here = ordered.index(values[other])
        others += [(abs(i - here), other, v) for i, v in enumerate(ordered) if other != name]
    moved = (point.changed(other, value) for _, other, value in sorted(others))
    return next((p for p in moved if space.candidate(p) is not None), point)


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
    """Points of promising candidates that fit and are not known yet."""
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


#: How thorough a tuning is: a strategy, and the most points it may try per workload.
LEVELS: dict[str, tuple[Strategy, int]] = {
    "fast": (descend, 12),
    "normal": (descend_again, 56),
    "exhaustive": (exhaustive, 1 << 30),
}
