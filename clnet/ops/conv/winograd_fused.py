"""Winograd's convolution on CPUs: both transforms and the products in one launch, so that what
is between them stays in a core's cache."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, PackedRef, Values, Work, tunable
from clnet.ops.conv.winograd_tiles import Tiling
from clnet.ops.lowering import ceil_div, options, round_up


def fused(tiling: Tiling) -> Candidate | None:
    """Needs rows of four pixels."""
    problem, g, width = tiling.problem, tiling.problem.geometry, tiling.problem.cpu_width
    units = problem.device.compute_units
    lanes = [v for v in (16, 8, 4) if v <= min(width, g.size[2])]
    if not lanes:
        return None

    def make(values: Values) -> Candidate | None:
        tile_m, vectors, vw = values["TILE_M"], values["VECTORS"], values["VW"]
        if tile_m * vectors + vectors + 1 > problem.registers:
            return None  # the accumulators would spill
        block = values["SPANS"] * vectors * width
        blocks, m_blocks = ceil_div(tiling.tiles, block), ceil_div(g.mg, tile_m)
        blocks_per_item = ceil_div(blocks, values["ITEMS"])
        channels_per_item = ceil_div(m_blocks, values["PARTS"]) * tile_m
        size = ceil_div(blocks, blocks_per_item), ceil_div(g.mg, channels_per_item)
        planes = _plane(g.cg * block), _plane(channels_per_item * block)
        weights = tiling.weights(tile_m)
        work = size[0] * size[1] * tiling.points * sum(planes) * weights.spec.itemsize
        if not tiling.fits(work, weights.spec.nbytes):
            return None
        sizes = (*tiling.sizes, blocks_per_item, channels_per_item, *planes)
        call = KernelCall(
            "conv_winograd",
            "conv_winograd",
            (In(0), PackedRef(), *problem.bias, Out(), Work(), *map(np.int32, sizes),
             *problem.extras),
            size,
            (1, 1),
            (*problem.in_float.defines(), ("VW", vw), ("WIDTH", width), ("TILE", tiling.tile),
             ("TILE_M", tile_m), ("VECTORS", vectors), ("SPANS", values["SPANS"])),
        )  # fmt: skip
        return Candidate(tiling.name, (call,), (work,), (weights,))

    spans = max(1, 16 // width)  # blocks of 48 tiles at most, lest weights be read too often
    vectors, parts = _share(ceil_div(tiling.tiles, spans * width), units)
    rows = [m for m in (24, 12, 8, 6, 4) if m * vectors + vectors + 1 <= problem.registers]
    tile_m = min(rows, key=lambda m: ceil_div(g.mg, m) * (m * vectors + vectors + 2))
    fitting = next((v for v in lanes if v <= round_up(tiling.columns, 4)), lanes[-1])
    return tunable(
        make,
        {
            "VECTORS": options(vectors, (3, 2, 1, 4)),
            "TILE_M": options(tile_m, (8, 12, 6, 4, 24)),
            "SPANS": options(spans, (1, 2, 4)),
            "VW": options(fitting, lanes),
            "ITEMS": options(4 * units, [n * units for n in (1, 2, 8)]),
            "PARTS": options(parts, [1, units, 2 * units]),
        },
    )


def _share(vectors: int, units: int) -> tuple[int, int]:
    """Vectors of tiles in a block, and parts of the output channels, that keep every core busy.

    The part of a block that a core has to do may be a part of its output channels, but with all of
    its inputs to transform, which are about a fifth of the work. Wide blocks are a little faster.
    """

    def time(choice: tuple[int, int]) -> float:
        block, parts = choice
        rounds = ceil_div(ceil_div(vectors, block) * parts, units)
        return rounds * (block + 0.2) * (1 / parts + 0.2)

    return min(((b, p) for b in (3, 2, 1) for p in range(1, units + 1)), key=time)


def _plane(elements: int) -> int:
    """From one point's plane to the next: five lines of a cache more than a multiple of 4 KB. The
    same element of every plane is used together, and must not fall into the same set."""
    return round_up(elements, 1024) + 80
