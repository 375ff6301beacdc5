"""GPU work-items that share a tile's input channels (split.h), where items are more than tiles."""

from __future__ import annotations

from clnet.calls import Define
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.lowering import grid, options, round_up

#: Items of a work-group that shares tiles.
GROUP = 128
#: Most items that share a tile.
MOST = 16


def split_options(problem: ConvProblem, items: int) -> tuple[int, ...]:
    """How many of ``items`` may share a tile, the default first: as many as keep a GPU busy."""
    device = problem.device
    if device.is_cpu or min(device.max_work_group_size, device.max_work_item_sizes[0]) < GROUP:
        return (1,)
    most = min(MOST, problem.geometry.cg, device.max_work_item_sizes[1])
    fitting = [n for n in (1, 2, 4, 8, 16) if n <= most]
    wanted = problem.busy / items
    return options(next((n for n in fitting if n >= wanted), fitting[-1]), fitting)


def split_fits(problem: ConvProblem, tile: int) -> bool:
    """Whether a work-group's sums, ``tile`` of each item, have room in local memory."""
    itemsize = max(4, problem.workload.output.itemsize)
    return GROUP * tile * itemsize <= problem.device.local_memory


def split_launch(
    split: int, tiles: int, blocks: int, images: int
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[Define, ...]]:
    """Global size, local size and macros for ``tiles`` x ``blocks`` x ``images`` tiles, each shared
    by ``split`` items."""
    if split == 1:
        return grid(tiles, blocks, images), None, ()
    width = GROUP // split
    size = (round_up(tiles, width), blocks * split, images)
    return size, (width, split, 1), (("SPLIT", split), ("WIDTH", width))
