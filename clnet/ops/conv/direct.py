"""Direct convolution: each work-item sums a small tile of outputs. Any shape, any device."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Values, tunable
from clnet.ops.conv.packing import blocked_weights
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.lowering import ceil_div, grid, options, round_up

#: Items of a work-group that shares tiles.
GROUP = 128
#: Most items that share a tile.
MOST_SHARES = 16


def direct(problem: ConvProblem) -> Candidate:
    """The candidate that takes everything."""
    g = problem.geometry

    def make(values: Values) -> Candidate | None:
        width, tile_m, split = values["VW"], values["TILE_M"], values["SPLIT"]
        weights = blocked_weights(problem, tile_m)
        tiles = ceil_div(g.out[2], width) * g.out[1] * g.out[0]
        blocks = g.groups * ceil_div(g.mg, tile_m)
        sizes = (g.groups, g.cg, g.mg, *g.size, *g.out, *g.pads)
        tile: tuple[Define, ...] = (
            ("VW", width), ("TILE_M", tile_m), ("ALIGNED", int(g.out[2] % width == 0)),
        )  # fmt: skip
        size, local = grid(tiles, blocks, g.n), None
        if split > 1:
            across = GROUP // split
            tile += (("SPLIT", split), ("WIDTH", across))
            itemsize = max(4, problem.workload.output.itemsize)
            if GROUP * tile_m * width * itemsize > problem.device.local_memory:
                return None
            size, local = (round_up(tiles, across), blocks * split, g.n), (across, split, 1)
        call = KernelCall(
            "conv_direct",
            "conv_direct",
            (In(0), weights.ref, *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
            size,
            local,
            (*problem.defines(), *kernel_defines(g), *tile),
        )
        return Candidate("direct", (*weights.calls, call), weights.workspace, weights.packed)

    widths = (4, 1) if g.out[2] > 2 else (1,)
    tiles = (4, 8, 1) if g.mg > 1 else (1,)
    items = g.n * g.groups * ceil_div(g.mg, tiles[0]) * ceil_div(g.pixels, widths[0])
    candidate = tunable(make, {"TILE_M": tiles, "VW": widths, "SPLIT": _splits(problem, items)})
    assert candidate is not None
    return candidate


def _splits(problem: ConvProblem, items: int) -> tuple[int, ...]:
    """How many items may share a tile, the default first: as many as keep a GPU busy."""
    device = problem.device
    if device.is_cpu or min(device.max_work_group_size, device.max_work_item_sizes[0]) < GROUP:
        return (1,)
    most = min(MOST_SHARES, problem.geometry.cg, device.max_work_item_sizes[1])
    fitting = [n for n in (1, 2, 4, 8, 16) if n <= most]
    wanted = problem.busy / items
    return options(next((n for n in fitting if n >= wanted), fitting[-1]), fitting)
