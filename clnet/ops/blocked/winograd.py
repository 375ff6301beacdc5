"""Winograd's convolution over blocked channels: the call of conv_blocked_winograd.cl."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.calls import (
    Candidate,
    In,
    KernelCall,
    Out,
    Packed,
    PackedRef,
    Values,
    Work,
    Workload,
    tunable,
)  # fmt: skip
from clnet.device_info import DeviceInfo
from clnet.ops.blocked.geometry import Window, choices, common_tile
from clnet.ops.blocked.packing import pack_bias
from clnet.ops.blocked.product import WORTH_TRYING, blocked_defines
from clnet.ops.conv.tiles import channel_tiles
from clnet.ops.conv.winograd_tiles import TransformWeights
from clnet.ops.lowering import ceil_div, round_up
from clnet.tensor_spec import TensorSpec

#: What a CPU could multiply and add in the time that it takes to bring one weight from memory,
#: twice over, since weights that grow for little gain are not worth their room; then in the time
#: that the transforms take for one channel of a tile, for every point. Measured on PoCL.
WEIGHT_COST = 12
TRANSFORM_COST = 5
#: Bytes of a chunk's points and sums: at least so many, and so many times those of the weights.
#: Measured on PoCL in ResNet-18, VGG-16 and U-Net.
CHUNK_BYTES = 1 << 20
WEIGHTS_PER_CHUNK = 4


@dataclass(frozen=True)
class Winograd:
    """A 3x3 convolution without strides as products at ``points`` points of all tiles."""

    workload: Workload
    device: DeviceInfo
    window: Window
    tile: int

    @property
    def points(self) -> int:
        """Points of a tile."""
        return (self.tile + 2) ** 2

    @property
    def tiles(self) -> int:
        """Tiles of all images."""
        height, width = self.window.out
        n: int = self.workload.output.shape[0]
        return n * ceil_div(height, self.tile) * ceil_div(width, self.tile)

    @property
    def cost(self) -> int:
        """About how many multiply-adds a CPU could do meanwhile. Few pixels make F(4x4, 3x3) lose,
        which has four times the weights of a direct convolution; few channels make both lose."""
        m, c = self.workload.input(1).shape[:2]
        block = self.workload.output.shape[-1]
        products = (self.tiles + WEIGHT_COST) * round_up(m, block) * c
        return self.points * (products + self.tiles * (c + m) * TRANSFORM_COST)

    def candidate(self) -> Candidate | None:
        """None where the device gives no buffer for what lies between the transforms."""
        workload, device = self.workload, self.device
        w, y = workload.input(1), workload.output
        m, c = w.shape[:2]
        block, units = y.shape[-1], device.compute_units
        c_blocks, m_blocks = ceil_div(c, block), ceil_div(m, block)
        registers = 16 if block == 8 else 32
        chunks = self._chunks(c_blocks, m_blocks, block)

        def tiles(chunks: int) -> dict[tuple[int, int, int], float]:
            return channel_tiles(m_blocks, 1, self.tiles // chunks, registers)

        def make(values: Values) -> Candidate | None:
            chunks, tile = values["CHUNKS"], (values["TILE_B"], 1, values["TILE_X"])
            if tiles(chunks).get(tile, WORTH_TRYING + 1) > WORTH_TRYING:
                return None
            blocks_per_item = ceil_div(m_blocks, values["PARTS"])
            global_size = (chunks, ceil_div(m_blocks, blocks_per_item))
            room = ceil_div(self.tiles, chunks)
            planes = _plane(c_blocks * room * block), _plane(blocks_per_item * room * block)
            work = global_size[0] * global_size[1] * self.points * sum(planes) * 4
            spec = TensorSpec((self.points, m_blocks, c, block))
            packed = (
                Packed(1, TransformWeights(self.tile, block), spec),
                pack_bias(2, workload.has(2), w, 1, block),
            )
            if max(work, spec.nbytes) > min(device.max_allocation, 1 << 31):
                return None
            window = self.window
            sizes = (y.shape[0], c, m, *window.size, *window.out, *window.pads, room,
                     blocks_per_item, *planes)  # fmt: skip
            call = KernelCall(
                "conv_blocked_winograd",
                "conv_blocked_winograd",
                (In(0), PackedRef(0), PackedRef(1), Out(), Work(), *map(np.int32, sizes),
                 *(In(i) for i in range(3, len(workload.inputs)))),
                global_size,
                (1, 1),
                (*blocked_defines(workload, 3, device), ("TILE", self.tile), ("LAST", c % block),
                 ("TILE_B", tile[0]), ("TILE_Y", 1), ("TILE_X", tile[2])),
            )  # fmt: skip
            return Candidate(f"winograd_{self.tile}", (call,), (work,), packed)

        default = common_tile(tiles(chunks))
        return tunable(
            make,
            {
                "TILE_B": choices(default[0], range(1, 5), m_blocks),
                "TILE_X": choices(default[2], range(1, 15), self.tiles),
                "CHUNKS": choices(chunks, [chunks // 2, 2 * chunks, units, 4 * units], self.tiles),
                "PARTS": choices(1, (units, 2 * units), m_blocks),
            },
        )

    def _chunks(self, c_blocks: int, m_blocks: int, block: int) -> int:
        """Chunks of tiles. Each reads all weights, so its points and sums are several times as
        many bytes; every core takes as many chunks."""
        units = self.device.compute_units
        weights = self.points * c_blocks * m_blocks * block**2
        values = self.tiles * self.points * (c_blocks + m_blocks) * block
        rounds = round(4 * values / max(CHUNK_BYTES, WEIGHTS_PER_CHUNK * 4 * weights) / units)
        return min(max(1, self.tiles // 6), units * max(1, rounds))


def winograds(workload: Workload, device: DeviceInfo, window: Window) -> list[Winograd]:
    """The ways to compute a convolution by Winograd's method, the cheapest ahead: none unless it is
    plain and 3x3."""
    once = (1, 1)
    plain = window.kernel == (3, 3) and window.strides == window.dilations == once
    if not plain or workload.op.groups > 1 or workload.input(0).rank == 4:
        return []
    found = [Winograd(workload, device, window, tile) for tile in (4, 2)]
    return sorted(found, key=lambda f: f.cost)


def _plane(elements: int) -> int:
    """From one point's plane to the next: five lines of a cache more than a multiple of 4 KB. The
    same element of every plane is used together, and must not fall into the same set."""
    return round_up(elements, 1024) + 80
