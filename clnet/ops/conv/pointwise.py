"""1x1 convolution on CPUs: a register tile of channels by vectors of pixels."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, SearchSpace
from clnet.ops.conv.packing import blocked_weights
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.conv.tiles import least_waste, options, split
from clnet.ops.lowering import ceil_div


def pointwise(problem: ConvProblem) -> Candidate | None:
    """Needs a 1x1 window without stride or padding, and at least a vector of pixels."""
    g, width = problem.geometry, problem.cpu_width
    if not g.is_pointwise or g.pixels < width:
        return None
    spans = [v for v in (3, 2, 1) if v * width <= g.pixels]
    tile_v = least_waste(ceil_div(g.pixels, width), spans)
    block = least_waste(g.mg, (8, 6, 4) if problem.registers > 16 else (4,))
    weights = blocked_weights(problem, block)
    images = g.n * g.groups
    blocks, tiles = ceil_div(g.mg, block), ceil_div(g.pixels, tile_v * width)
    items = problem.work_items(images * g.mg * g.pixels * g.cg)
    tiles_per_item, blocks_per_item = split(tiles, blocks, ceil_div(items, images))
    sizes = (g.groups, g.cg, g.mg, g.pixels, blocks_per_item, tiles_per_item)
    call = KernelCall(
        "conv_pointwise",
        "conv_pointwise",
        (In(0), weights.ref, *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
        (ceil_div(blocks, blocks_per_item), ceil_div(tiles, tiles_per_item), images),
        (1, 1, 1),
        (*problem.cpu_defines(), ("BLOCK", block), ("TILE_V", tile_v)),
    )
    space = SearchSpace(
        {
            "TILE_V": options(tile_v, spans),
            "BLOCK": options(block, (4, 6, 8)),
            "MULADD": options(problem.muladd, (0, 1, 2)),
        }
    )
    return Candidate("pointwise", (*weights.calls, call), weights.workspace, weights.packed,
                     space=space)  # fmt: skip
