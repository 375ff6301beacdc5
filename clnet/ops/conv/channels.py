"""Direct convolution on CPUs with vectors across output channels."""

from __future__ import annotations

import math

import numpy as np

from clnet.calls import Candidate, KernelCall, Out, Values, tunable
from clnet.ops.conv.packing import blocked_weights
from clnet.ops.conv.padding import padded_input
from clnet.ops.conv.problem import ConvProblem, kernel_defines, triple_defines
from clnet.ops.conv.tiles import channel_tiles
from clnet.ops.lowering import ceil_div, options

#: Tiles that should cost more than this times the best are not offered.
WORTH_TRYING = 1.15


def channels(problem: ConvProblem) -> Candidate:
    """Takes everything; wasteful where a group has fewer output channels than a vector."""
    g, width = problem.geometry, problem.cpu_width
    x, size, pad_calls, pad_work = padded_input(problem, 0)
    weights = blocked_weights(problem, width, len(pad_work))
    out, phases = g.out, problem.phases
    up = phases.strides if phases else (1, 1, 1)
    if g.is_pointwise and up == (1, 1, 1):  # then a plane is one long row
        size = out = (1, 1, g.pixels)
    blocks = ceil_div(g.mg, width)
    images = g.n * g.groups * math.prod(up) * out[0]

    def make(values: Values) -> Candidate | None:
        tile_b, tile_y, tile_x = values["TILE_B"], values["TILE_Y"], values["TILE_X"]
        if costs.get((tile_b, tile_y, tile_x), math.inf) > WORTH_TRYING:
            return None
        tiles = ceil_div(out[1], tile_y) * ceil_div(out[2], tile_x)
        planes = ceil_div(blocks, tile_b) * images
        parts = min(tiles, ceil_div(values["ITEMS"], planes))
        tiles_per_item = ceil_div(tiles, parts)
        sizes = [g.groups, g.cg, g.mg, *size, *out, tiles_per_item]
        if phases and up != (1, 1, 1):
            sizes += (*phases.out, *phases.crop)
        tile = (("TILE_B", tile_b), ("TILE_Y", tile_y), ("TILE_X", tile_x))
        call = KernelCall(
            "conv_channels",
            "conv_channels",
            (x, weights.ref, *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
            (ceil_div(tiles, tiles_per_item), ceil_div(blocks, tile_b), images),
            (1, 1, 1),
            (*problem.cpu_defines(), *kernel_defines(g), *triple_defines("UP_", up), *tile),
        )
        return Candidate("channels", (*pad_calls, *weights.calls, call),
                         (*pad_work, *weights.workspace), weights.packed)  # fmt: skip

    costs = channel_tiles(blocks, out[1], out[2], problem.registers)
    tile_b, tile_y, tile_x = next(iter(costs))
    candidate = tunable(
        make,
        {
            "TILE_B": options(tile_b, range(1, min(blocks, 4) + 1)),
            "TILE_Y": options(tile_y, range(1, min(out[1], 4) + 1)),
            "TILE_X": options(tile_x, range(1, min(out[2], 14) + 1)),
            "ITEMS": problem.item_counts(blocks * width * images * out[1] * out[2] * g.depth),
        },
    )
    assert candidate is not None
    return candidate
