"""Direct convolution: each work-item sums a small tile of outputs. Any shape, any device."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Values, tunable
from clnet.ops.conv.packing import blocked_weights
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.conv.sharing import split_fits, split_launch, split_options
from clnet.ops.lowering import ceil_div


def direct(problem: ConvProblem) -> Candidate:
    """The candidate that takes everything."""
    g = problem.geometry

    def make(values: Values) -> Candidate | None:
        width, tile_m, split = values["VW"], values["TILE_M"], values["SPLIT"]
        if split > 1 and not split_fits(problem, tile_m * width):
            return None
        weights = blocked_weights(problem, tile_m)
        tiles = ceil_div(g.out[2], width) * g.out[1] * g.out[0]
        size, local, shared = split_launch(split, tiles, g.groups * ceil_div(g.mg, tile_m), g.n)
        sizes = (g.groups, g.cg, g.mg, *g.size, *g.out, *g.pads)
        tile = (("VW", width), ("TILE_M", tile_m), ("ALIGNED", int(g.out[2] % width == 0)))
        call = KernelCall(
            "conv_direct",
            "conv_direct",
            (In(0), weights.ref, *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
            size,
            local,
            (*problem.defines(), *kernel_defines(g), *tile, *shared),
        )
        return Candidate("direct", (*weights.calls, call), weights.workspace, weights.packed)

    widths = (4, 1) if g.out[2] > 2 else (1,)
    tiles = (4, 8, 1) if g.mg > 1 else (1,)
    items = g.n * g.groups * ceil_div(g.mg, tiles[0]) * ceil_div(g.pixels, widths[0])
    splits = split_options(problem, items)
    candidate = tunable(make, {"TILE_M": tiles, "VW": widths, "SPLIT": splits})
    assert candidate is not None
    return candidate
