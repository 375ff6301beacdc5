"""Direct convolution: each work-item sums a small tile of outputs. Any shape, any device."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Values, tunable
from clnet.ops.conv.packing import blocked_weights
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.lowering import ceil_div, grid


def direct(problem: ConvProblem) -> Candidate:
    """The candidate that takes everything."""
    g = problem.geometry

    def make(values: Values) -> Candidate:
        width, tile_m = values["VW"], values["TILE_M"]
        weights = blocked_weights(problem, tile_m)
        tiles = ceil_div(g.out[2], width) * g.out[1] * g.out[0]
        sizes = (g.groups, g.cg, g.mg, *g.size, *g.out, *g.pads)
        tile = (("VW", width), ("TILE_M", tile_m), ("ALIGNED", int(g.out[2] % width == 0)))
        call = KernelCall(
            "conv_direct",
            "conv_direct",
            (In(0), weights.ref, *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
            grid(tiles, g.groups * ceil_div(g.mg, tile_m), g.n),
            None,
            (*problem.defines(), *kernel_defines(g), *tile),
        )
        return Candidate("direct", (*weights.calls, call), weights.workspace, weights.packed)

    widths = (4, 1) if g.out[2] > 2 else (1,)
    tiles = (4, 8, 1) if g.mg > 1 else (1,)
    candidate = tunable(make, {"TILE_M": tiles, "VW": widths})
    assert candidate is not None
    return candidate
