"""Depthwise convolution, and small groups, on CPUs with vectors along the rows."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Values, tunable
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.conv.tiles import split
from clnet.ops.lowering import ceil_div, options, round_up

#: Elements of the private buffer that holds the rows of a strip.
BUFFER = 8192


def rows(problem: ConvProblem) -> Candidate | None:
    """Needs input rows short enough, and groups small enough, for a private buffer."""
    g, width = problem.geometry, problem.cpu_width
    vectors = ceil_div(g.out[2], width)
    reach = vectors * width * g.strides[2] + g.kernel[2] * g.dilations[2] + 2 * width
    row = round_up(max(reach, g.pads[2] + g.size[2] + width), 64)
    fitting = [t for t in (4, 3, 2, 1) if t <= g.out[1] and _buffer(problem, t, row) <= BUFFER]
    if not fitting:
        return None
    default = next(t for t in fitting if t != 3)
    planes = g.n * g.out[0]

    def make(values: Values) -> Candidate:
        tile_y = values["TILE_Y"]
        strips = ceil_div(g.out[1], tile_y)
        items = ceil_div(values["ITEMS"], planes)
        groups_per_item, strips_per_item = split(g.groups, strips, items)
        sizes = (g.groups, g.mg, *g.size, *g.out, *g.pads, groups_per_item, strips_per_item)
        tile = (("CG", g.cg), ("ROW", row), ("TILE_Y", tile_y))
        call = KernelCall(
            "conv_rows",
            "conv_rows",
            (In(0), In(1), *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
            (ceil_div(strips, strips_per_item), ceil_div(g.groups, groups_per_item), planes),
            (1, 1, 1),
            (*problem.cpu_defines(), *kernel_defines(g), *tile),
        )
        return Candidate("rows", (call,))

    work = round_up(g.out[1], default) * vectors * width * g.mg * g.depth * g.groups * planes
    items = problem.item_counts(work)
    return tunable(make, {"TILE_Y": options(default, fitting), "ITEMS": items})


def _buffer(problem: ConvProblem, tile_y: int, row: int) -> int:
    g = problem.geometry
    lines = (tile_y - 1) * g.strides[1] + (g.kernel[1] - 1) * g.dilations[1] + 1
    return g.cg * g.kernel[0] * lines * row
