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
from clnet.ops.blocked.packing import BlockPoints, pack_bias
from clnet.ops.blocked.product import WORTH_TRYING, blocked_defines, pool_defines
from clnet.ops.conv.tiles import channel_tiles
from clnet.ops.lowering import ceil_div, round_up
from clnet.tensor_spec import TensorSpec

#: Sides of the tiles of outputs by the weights': four or six points, more lose too many bits.
TILES = {(3, 3): (4, 2), (5, 5): (2,)}
#: What a CPU could multiply and add in the time that it takes to bring one weight from memory, more
#: than twice over, since weights that grow for little gain are not worth their room; then in the
#: time that the transforms take for one channel of a tile, for every point. Measured on PoCL: the
#: latter is 12 to 25, more where caches are shared with others.
WEIGHT_COST = 16
TRANSFORM_COST = 12
#: Bytes of a chunk's points: at least so many, and so many times those of the weights. Measured on
#: PoCL in ResNet-18, VGG-16 and U-Net.
CHUNK_BYTES = 1 << 19
TIMES_WEIGHTS = 2


@dataclass(frozen=True)
class Winograd:
    """A convolution without strides as products at ``points`` points of all tiles. The output keeps
    the largest of each ``pool`` rows and columns of the window's, which divide the tile."""

    workload: Workload
    device: DeviceInfo
    window: Window
    tile: int
    pool: tuple[int, int] = (1, 1)

    @property
    def taps(self) -> int:
        """Weights along a side of the window."""
        return self.window.kernel[0]

    @property
    def points(self) -> int:
        """Points of a tile."""
        return (self.tile + self.taps - 1) ** 2

    @property
    def out(self) -> tuple[int, int]:
        """Rows and columns of results that something is kept of."""
        return self.window.kept(self.pool)

    @property
    def tiles(self) -> int:
        """Tiles of all images."""
        height, width = self.out
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
            """Those that fit the smallest chunk, with their cost for the largest."""
            least, most = self.tiles // chunks, ceil_div(self.tiles, chunks)
            return channel_tiles(m_blocks, 1, most, registers, room=(1, least))

        def make(values: Values) -> Candidate | None:
            chunks, tile = values["CHUNKS"], (values["TILE_B"], 1, values["TILE_X"])
            if tiles(chunks).get(tile, WORTH_TRYING + 1) > WORTH_TRYING:
                return None
            blocks_per_item = ceil_div(m_blocks, values["PARTS"])
            global_size = (chunks, ceil_div(m_blocks, blocks_per_item))
            room = ceil_div(self.tiles, chunks)
            planes = _plane(c_blocks * room * block), _plane(tile[0] * room * block)
            work = global_size[0] * global_size[1] * self.points * sum(planes) * 4
            spec = TensorSpec((m_blocks, self.points, c, block))
            packed = (
                Packed(1, BlockPoints(self.tile, block), spec),
                pack_bias(2, workload.has(2), w, 1, block),
            )
            if max(work, spec.nbytes) > min(device.max_allocation, 1 << 31):
                return None
            window = self.window
            sizes = (y.shape[0], c, m, *window.size, *self.out, *window.pads, room,
                     blocks_per_item, *planes)  # fmt: skip
            call = KernelCall(
                "conv_blocked_winograd",
                "conv_blocked_winograd",
                (In(0), PackedRef(0), PackedRef(1), Out(), Work(), *map(np.int32, sizes),
                 *(In(i) for i in range(3, len(workload.inputs)))),
                global_size,
                (1, 1),
                (
                    *blocked_defines(workload, 3, device), *pool_defines(self.pool),
                    ("TILE", self.tile), ("TAPS", self.taps), ("LAST", c % block),
                    *zip(("TILE_B", "TILE_Y", "TILE_X"), tile, strict=True),
                ),
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
        """Chunks of tiles. Each reads all weights, so its points are more bytes; every core takes
        as many chunks."""
        units = self.device.compute_units
        of_weights = 4 * self.points * c_blocks * m_blocks * block**2
        of_points = 4 * self.points * c_blocks * self.tiles * block
        rounds = round(of_points / max(CHUNK_BYTES, TIMES_WEIGHTS * of_weights) / units)
        return min(max(1, self.tiles // 6), units * max(1, rounds))


def winograd_tiles(
    x: TensorSpec, window: Window, groups: int, pool: tuple[int, int] = (1, 1)
) -> tuple[int, ...]:
    """Sides of the tiles by which a convolution of ``x`` can be computed and then pooled."""
    plain = window.strides == window.dilations == (1, 1) and groups == 1 and x.rank == 5
    tiles = TILES.get(window.kernel, ()) if plain else ()
    return tuple(tile for tile in tiles if not (tile % pool[0] or tile % pool[1]))


def _plane(elements: int) -> int:
    """From one point's plane to the next: five lines of a cache more than a multiple of 4 KB. The
    same element of every plane is used together, and must not fall into the same set."""
    return round_up(elements, 1024) + 80
