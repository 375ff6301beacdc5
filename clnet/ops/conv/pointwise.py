"""1x1 convolution: a register tile of channels by vectors of pixels."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Values, tunable
from clnet.ops.conv.packing import blocked_weights
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.conv.tiles import least_waste, split
from clnet.ops.gpu_tiles import gpu_tiles
from clnet.ops.lowering import ceil_div, grid, options

#: Pixels in a vector of a GPU: 128 bits of floats.
GPU_WIDTH = 4


def pointwise(problem: ConvProblem) -> Candidate | None:
    """For CPUs: few work-items, each with large tiles. Needs a 1x1 window without stride or
    padding, and at least a vector of pixels."""
    g, width = problem.geometry, problem.cpu_width
    if not g.is_pointwise or g.pixels < width:
        return None
    spans = [v for v in (3, 2, 1) if v * width <= g.pixels]
    blocks = (8, 6, 4) if problem.registers > 16 else (4, 2)
    images = g.n * g.groups

    def make(values: Values) -> Candidate:
        block, tile_v = values["BLOCK"], values["TILE_V"]
        across, down = ceil_div(g.mg, block), ceil_div(g.pixels, tile_v * width)
        items = ceil_div(values["ITEMS"], images)
        tiles_per_item, blocks_per_item = split(down, across, items)
        size = (ceil_div(down, tiles_per_item), ceil_div(across, blocks_per_item), images)
        defines = (*problem.cpu_defines(), ("TILE_V", tile_v), ("ALIGNED", 0), ("FINE", 0))
        return _candidate(problem, block, blocks_per_item, tiles_per_item, size, (1, 1, 1), defines)

    return tunable(
        make,
        {
            "TILE_V": options(least_waste(ceil_div(g.pixels, width), spans), spans),
            "BLOCK": options(least_waste(g.mg, blocks[: 3 if len(blocks) > 2 else 1]), blocks),
            "ITEMS": problem.item_counts(images * g.mg * g.pixels * g.cg),
        },
    )


def pointwise_fine(problem: ConvProblem) -> Candidate | None:
    """For GPUs: a work-item for every tile of a few channels by four pixels."""
    g = problem.geometry
    if not g.is_pointwise or g.pixels < GPU_WIDTH:
        return None
    half = problem.device.fp16 and problem.dtype == "float16"
    tiles = gpu_tiles(problem.device, problem.dtype)

    def make(values: Values) -> Candidate:
        block = values["BLOCK"]
        size = grid(ceil_div(g.pixels, GPU_WIDTH), ceil_div(g.mg, block), g.n * g.groups)
        aligned = int(g.pixels % GPU_WIDTH == 0)
        step = next(n for n in ((16, 8, 4, 2, 1) if half else (4, 2, 1)) if g.cg % n == 0)
        defines = (
            *problem.defines(),
            ("VW", GPU_WIDTH), ("TILE_V", 1), ("ALIGNED", aligned), ("FINE", 1),
            ("PIXELS", g.pixels), ("STEP", step),
        )  # fmt: skip
        return _candidate(problem, block, 1, 1, size, None, defines)

    return tunable(make, {"BLOCK": options(tiles.pointwise, (4, 8))})


def _candidate(
    problem: ConvProblem,
    block: int,
    blocks_per_item: int,
    tiles_per_item: int,
    global_size: tuple[int, ...],
    local_size: tuple[int, ...] | None,
    defines: tuple[Define, ...],
) -> Candidate:
    g = problem.geometry
    weights = blocked_weights(problem, block)
    sizes = (g.groups, g.cg, g.mg, g.pixels, blocks_per_item, tiles_per_item)
    call = KernelCall(
        "conv_pointwise",
        "conv_pointwise",
        (In(0), weights.ref, *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
        global_size,
        local_size,
        (*defines, ("BLOCK", block)),
    )
    return Candidate("pointwise", (*weights.calls, call), weights.workspace, weights.packed)
