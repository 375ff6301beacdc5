"""Where boxes and arrows of a drawing go, in columns where one would become too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from clnet.cli.info.layers import Arrow, Layers

Point = tuple[float, float]

GAP, LAYER_GAP, COLUMN_GAP = 22.0, 26.0, 56.0
#: How far an arrow that changes column runs above and below them; further ones run further out.
_TURN, _TURN_STEP = 16.0, 9.0
#: Columns end where it goes on from at most so many places.
_CROSSING = 6
#: How many of these a column is worth that is not twice as long, or half.
_UNEVEN = 3.0


@dataclass
class Layout:
    """In pixels from the upper left corner: the middle of each box, the points of each arrow (which
    runs straight or, where both coordinates change, in an S), and the extent of all."""

    centres: list[Point]
    paths: list[list[Point]]
    lengths: list[int]  #: in layers, of each arrow
    width: float
    height: float


def lay_out(
    count: int, arrows: Sequence[Arrow], width: float, height: float, page: float
) -> Layout:
    """Place ``count`` boxes of ``width`` and ``height``, and the arrows between them, in columns
    that should not be much longer than ``page``."""
    layers = Layers(count, arrows)
    pitch = height + LAYER_GAP
    columns = _columns(layers, max(1, round(page / pitch)))
    x = layers.places(width, GAP)
    y = [0.0] * len(x)
    column_of = [0] * len(x)
    lefts, left = [], 0.0
    most = max((layers.crossing(ranks.start - 1)[1] for ranks in columns[1:]), default=0)
    turns = _TURN + _TURN_STEP * most if most else 0.0
    for number, ranks in enumerate(columns):
        vertices = [v for rank in ranks for v in layers.rows[rank]]
        halves = [0.0 if layers.is_bend(v) else width / 2 for v in vertices]
        low = min(x[v] - half for v, half in zip(vertices, halves, strict=True))
        high = max(x[v] + half for v, half in zip(vertices, halves, strict=True))
        lefts.append(left)
        for vertex in vertices:
            x[vertex] += left - low
            y[vertex] = turns + (layers.rank[vertex] - ranks.start) * pitch + height / 2
            column_of[vertex] = number
        left += high - low + COLUMN_GAP
    bottoms = [turns + len(ranks) * pitch - LAYER_GAP for ranks in columns]
    layout = Layout(
        list(zip(x[:count], y[:count], strict=True)),
        [],
        [len(chain) - 1 for chain in layers.chains],
        max(0.0, left - COLUMN_GAP),
        max(bottoms, default=0.0) + turns,
    )
    turning = [0] * len(columns)
    for chain in layers.chains:
        path: list[Point] = []
        for upper, lower in pairwise(chain):
            start, end = (x[upper], y[upper] + height / 2), (x[lower], y[lower] - height / 2)
            path.append(start)
            column = column_of[lower]
            if column_of[upper] != column:
                out = _TURN + _TURN_STEP * turning[column]
                gutter = lefts[column] - COLUMN_GAP / 2 + _TURN_STEP * (turning[column] - 1)
                under, over = bottoms[column - 1] + out, turns - out
                path += [(start[0], under), (gutter, under), (gutter, over), (end[0], over)]
                turning[column] += 1
            path.append(end)
        layout.paths.append(path)
    return layout


def _columns(layers: Layers, page: int) -> list[range]:
    """The layers of each column: about ``page``, cut where few arrows cross."""
    total = len(layers.rows)
    count = max(1, round(total / page))
    columns, start = [], 0
    for number in range(count, 1, -1):
        each = (total - start) / number
        first, last = start + max(1, round(each * 0.6)), start + round(each * 1.4)
        costs = {
            cut: layers.crossing(cut - 1)[0] + _UNEVEN * abs(cut - start - each) / each
            for cut in range(first, min(last, total - 1))
            if layers.crossing(cut - 1)[0] <= _CROSSING
        }
        if not costs:
            continue
        cut = min(costs, key=costs.__getitem__)
        columns.append(range(start, cut))
        start = cut
    return [*columns, range(start, total)]
