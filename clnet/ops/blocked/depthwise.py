"""Depthwise convolution over blocked channels, alone: the call of conv_blocked_depthwise.cl."""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, PackedRef, Values, Workload, tunable
from clnet.device_info import DeviceInfo
from clnet.ops.blocked.geometry import Window, choices
from clnet.ops.blocked.packing import pack_bias, pack_weights
from clnet.ops.blocked.product import blocked_defines
from clnet.ops.lowering import ceil_div

#: Register tiles that are offered, of those that fit.
TILES = 5
#: Outputs times taps that are worth a work-item's start.
ITEM_WORK = 1 << 15


def depthwise(workload: Workload, device: DeviceInfo, window: Window) -> Candidate | None:
    """A work-item for a strip of rows of some blocks."""
    w, y = workload.input(1), workload.output
    n, blocks, block = y.shape[0], y.shape[1], y.shape[4]
    packed = (
        pack_weights(1, w, 1, block, 1),
        pack_bias(2, workload.has(2), w, 1, block),
    )

    def make(values: Values) -> Candidate:
        strips = values["STRIPS"]
        chunks = min(blocks, max(1, values["ITEMS"] // (strips * n)))
        blocks_per_item = ceil_div(blocks, chunks)
        sizes = (blocks, *window.size, *window.out, window.pads[0], blocks_per_item)
        call = KernelCall(
            "conv_blocked_depthwise",
            "conv_blocked_depthwise",
            (In(0), PackedRef(0), PackedRef(1), Out(), *map(np.int32, sizes),
             *(In(i) for i in range(3, len(workload.inputs)))),
            (strips, ceil_div(blocks, blocks_per_item), n),
            (1, 1, 1),
            (*blocked_defines(workload, 3, device), *window.defines(),
             *tile_defines(window, values["DEPTHWISE_X"])),
        )  # fmt: skip
        return Candidate("depthwise", (call,), packed=packed)

    units = device.compute_units
    work = n * blocks * window.out[0] * window.out[1] * window.taps
    items = max(1, min(4 * units, work // ITEM_WORK))
    strips = 1 if n * blocks >= items else min(window.out[0], items)
    return tunable(
        make,
        {
            "DEPTHWISE_X": tuple(tiles(window, block)[:TILES]),
            "ITEMS": choices(items, (units, 2 * units, 4 * units, 8 * units), work),
            "STRIPS": choices(strips, (1, units, 2 * units), window.out[0]),
        },
    )


def tiles(window: Window, block: int) -> list[int]:
    """Pixels of register tiles of which only the first and the last reach into padding,
    the default first: that with the fewest columns computed twice."""
    _, width = window.out
    _, stride = window.strides
    before, behind = (ceil_div(pad, stride) for pad in window.reach)  # columns of outputs concerned
    edge = max(before, behind)

    def fits(x: int) -> bool:
        apart = width <= 2 * x or before + x + behind <= width  # from both edges, in the middle
        return x == width or (edge <= min(x, width - x) and apart)

    most = 8 if block == 8 else 12  # in registers, with weights and values
    found = [x for x in range(1, min(width, most) + 1) if fits(x)]
    found = found or [next(x for x in range(most + 1, width + 1) if fits(x))]
    return sorted(found, key=lambda x: ceil_div(width, x) * (x + 1))


def tile_defines(window: Window, pixels: int) -> tuple[Define, ...]:
    """The macros of depthwise.h."""
    before, behind = window.reach
    return (("PAD_LEFT", before), ("PAD_RIGHT", behind), ("DEPTHWISE_X", pixels))
