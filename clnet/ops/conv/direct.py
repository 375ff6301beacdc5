"""Direct convolution: each work-item sums a small tile of outputs. Any shape, any device."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, SearchSpace
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.lowering import ceil_div, grid


def direct(problem: ConvProblem) -> Candidate:
    """The candidate that takes everything."""
    g = problem.geometry
    tile_x = 4 if g.out[2] > 2 else 1
    tile_m = next(t for t in (8, 4, 2, 1) if g.mg >= t and (g.mg % t == 0 or g.mg > 2 * t))
    tiles = ceil_div(g.out[2], tile_x) * g.out[1] * g.out[0]
    sizes = (g.n, g.groups, g.cg, g.mg, *g.size, *g.out, *g.pads)
    call = KernelCall(
        "conv_direct",
        "conv_direct",
        (In(0), In(1), *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
        grid(tiles, g.groups * ceil_div(g.mg, tile_m), g.n),
        None,
        (*problem.defines(), *kernel_defines(g), ("TILE_X", tile_x), ("TILE_M", tile_m)),
    )
    space = SearchSpace({"TILE_X": (tile_x, 1, 2, 4, 8), "TILE_M": (tile_m, 1, 2, 4, 8)})
    return Candidate("direct", (call,), space=space)
