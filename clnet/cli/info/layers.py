"""Layers for a drawing, by Sugiyama's method: what stands in each, in which order, and where.

1. Each box stands one layer below the lowest of those that feed it. An arrow over several layers
   gets a *bend* in each that it crosses, so that it keeps clear of the boxes there.
2. Each layer is sorted by the mean position of its neighbours, over and over, down and up; the
   order with the fewest crossings stays (Sugiyama, Tagawa, Toda, "Methods for visual understanding
   of hierarchical system structures", 1981).
3. Everything moves as near to its neighbours' mean as the order and the gaps allow: an isotonic
   regression, which pooling adjacent violators solves. Bends do not move boxes that others do.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise

Arrow = tuple[int, int]

_SORTING_SWEEPS, _PLACING_SWEEPS = 12, 60
#: How much the bends of a long arrow pull at each other, where a box pulls by 1: they stay in line.
_STRAIGHT = 12.0
#: How firmly boxes stand where a bend would push them aside.
_FIRM = 100.0


class Layers:
    """Vertices in layers: the boxes, by their number, then the bends of long arrows.

    ``arrows`` go from lower to higher numbers.
    """

    def __init__(self, boxes: int, arrows: Sequence[Arrow]) -> None:
        self.boxes = boxes
        self.rank = _ranks(boxes, arrows)  #: the layer of each vertex
        self.chains: list[list[int]] = []  #: the vertices that each arrow goes through
        for start, end in arrows:
            crossed = range(self.rank[start] + 1, self.rank[end])
            bends = range(len(self.rank), len(self.rank) + len(crossed))
            self.rank += crossed
            self.chains.append([start, *bends, end])
        self.chain_of = {v: chain for chain in self.chains for v in chain[1:-1]}
        self.above: list[list[int]] = [[] for _ in self.rank]
        self.below: list[list[int]] = [[] for _ in self.rank]
        for chain in self.chains:
            for upper, lower in pairwise(chain):
                self.below[upper].append(lower)
                self.above[lower].append(upper)
        self.rows: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for vertex in self._depth_first():
            self.rows[self.rank[vertex]].append(vertex)
        self._sort()

    def is_bend(self, vertex: int) -> bool:
        """Whether only an arrow goes through it."""
        return vertex >= self.boxes

    def crossing(self, rank: int) -> tuple[int, int]:
        """From how many vertices, and in how many arrows, it goes on from layer ``rank``."""
        onward = [len(self.below[v]) for v in self.rows[rank] if self.below[v]]
        return len(onward), sum(onward)

    def places(self, width: float, gap: float) -> list[float]:
        """The middle of each vertex: boxes are ``width`` wide, and ``gap`` apart from all else."""
        x = [0.0] * len(self.rank)
        offsets = [self._offsets(row, width, gap) for row in self.rows]
        for row, offset in zip(self.rows, offsets, strict=True):
            for vertex, distance in zip(row, offset, strict=True):
                x[vertex] = distance - offset[-1] / 2
        for sweep in range(_PLACING_SWEEPS + 1):
            ranks, sides = range(len(self.rows)), [self.above]
            if sweep % 2:
                ranks, sides = range(len(self.rows) - 1, -1, -1), [self.below]
            if _PLACING_SWEEPS // 2 <= sweep < _PLACING_SWEEPS:
                sides = [self.above, self.below]
            for rank in ranks:
                self._move(self.rows[rank], offsets[rank], x, sides)
        return x

    def _depth_first(self) -> list[int]:
        """An order to start from, in which branches stay together."""
        order: dict[int, None] = {}
        for root in (v for v in range(len(self.rank)) if not self.above[v]):
            waiting = [root]
            while waiting:
                vertex = waiting.pop()
                if vertex not in order:
                    order[vertex] = None
                    waiting += reversed(self.below[vertex])
        return list(order)

    def _sort(self) -> None:
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(_SORTING_SWEEPS):
            if not fewest:
                return
            ranks, sides = range(1, len(self.rows)), self.above
            if sweep % 2:
                ranks, sides = range(len(self.rows) - 2, -1, -1), self.below
            position = {v: float(i) for row in self.rows for i, v in enumerate(row)}
            for rank in ranks:
                row = self.rows[rank]
                mean = {
                    v: _mean([position[n] for n in sides[v]]) if sides[v] else position[v]
                    for v in row
                }
                row.sort(key=mean.__getitem__)
                position.update({v: float(i) for i, v in enumerate(row)})
            if (crossings := self._crossings()) < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _crossings(self) -> int:
        position = {v: i for row in self.rows for i, v in enumerate(row)}
        total = 0
        for row in self.rows:
            ends: list[int] = []
            for vertex in row:
                new = [position[n] for n in self.below[vertex]]
                total += sum(len(ends) - bisect_right(ends, end) for end in new)
                for end in new:
                    insort(ends, end)
        return total

    def _offsets(self, row: Sequence[int], width: float, gap: float) -> list[float]:
        """The least distance of each vertex of a layer from the first."""
        halves = [0.0 if self.is_bend(v) else width / 2 for v in row]
        offsets = [0.0] * len(row)
        for i in range(1, len(row)):
            offsets[i] = offsets[i - 1] + halves[i - 1] + gap + halves[i]
        return offsets

    def _move(
        self,
        row: Sequence[int],
        offsets: Sequence[float],
        x: list[float],
        sides: Sequence[Sequence[Sequence[int]]],
    ) -> None:
        """Bring a layer as near as possible to what it is joined to."""
        targets, weights = [], []
        for vertex, offset in zip(row, offsets, strict=True):
            joined = [n for side in sides for n in side[vertex]]
            joined = joined or self.above[vertex] or self.below[vertex]
            if any(not self.is_bend(n) for n in joined):  # which are what is computed
                joined = [n for n in joined if not self.is_bend(n)]
            pulls = [(x[n], 1.0) for n in joined]
            if self.is_bend(vertex):
                line = [x[v] for v in self.chain_of[vertex][1:-1]]
                pulls.append((_mean(line), _STRAIGHT))
            total = sum(weight for _, weight in pulls)
            wanted = sum(place * weight for place, weight in pulls) / total if total else x[vertex]
            targets.append(wanted - offset)
            weights.append(1.0 if self.is_bend(vertex) else _FIRM)
        for vertex, offset, place in zip(row, offsets, _isotonic(targets, weights), strict=True):
            x[vertex] = place + offset


def _ranks(boxes: int, arrows: Sequence[Arrow]) -> list[int]:
    """The layer of each box: below all that feed it; what nothing feeds, right above its reader."""
    rank = [0] * boxes
    for start, end in sorted(arrows, key=lambda arrow: arrow[1]):
        rank[end] = max(rank[end], rank[start] + 1)
    fed = {end for _, end in arrows}
    for box in set(range(boxes)) - fed:
        rank[box] = min((rank[end] - 1 for start, end in arrows if start == box), default=0)
    return rank


def _isotonic(targets: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The rising numbers that are nearest to ``targets`` in weighted squares."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for target, weight in zip(targets, weights, strict=True):
        block = (target, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, mass, count = blocks.pop()
            total = mass + block[1]
            block = ((mean * mass + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    return [mean for mean, _, count in blocks for _ in range(count)]


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
