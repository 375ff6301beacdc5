"""Convolution of few maps, two of which share a vector: the call of conv_blocked_few.cl."""

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
from clnet.ops.blocked.geometry import Window, choices, share
from clnet.ops.blocked.packing import PairBias, PairWeights
from clnet.ops.blocked.product import blocked_defines, pool_defines
from clnet.ops.lowering import ceil_div, round_up
from clnet.tensor_spec import TensorSpec

#: Accumulators of a register tile where 16 registers hold vectors; with fewer than seven a
#: multiply-add waits for the one before.
ACCUMULATORS = 12
ENOUGH = 7
#: Columns of the window that the kernel's loop over them is unrolled for.
UNROLLED = 8


def can_share(columns: int, stride: int, dtype: str) -> bool:
    """Whether maps can share vectors: of windows of so many columns, ``stride`` apart."""
    return dtype == "float32" and stride == 1 and columns <= UNROLLED


@dataclass(frozen=True)
class FewMaps:
    """A convolution of plain channels with ``window``, of which the output keeps the largest of
    each ``pool`` rows and columns."""

    workload: Workload
    device: DeviceInfo
    window: Window
    pool: tuple[int, int]

    @property
    def block(self) -> int:
        """Lanes of a vector."""
        return self.workload.output.shape[-1]

    @property
    def across(self) -> int:
        """Pixels of a vector."""
        return self.block // 2

    @property
    def pairs(self) -> int:
        """Pairs of maps."""
        return ceil_div(self.workload.input(1).shape[0], 2)

    @property
    def serves(self) -> bool:
        """Whether the kernel is made for it, and leaves fewer lanes idle than blocks of maps do."""
        workload, out = self.workload, self.window.kept(self.pool)
        return (
            can_share(self.window.kernel[1], self.window.strides[1], workload.output.dtype)
            and len(workload.inputs) <= 3
            and self.pool[1] <= 2
            and out[1] >= self.across
            and self.pairs * self.pool[0] <= ACCUMULATORS
            and 2 * self.pairs < workload.output.shape[1] * self.block
        )

    @property
    def cost(self) -> int:
        """Lanes of all multiply-adds."""
        n, out = self.workload.output.shape[0], self.window.kept(self.pool)
        w = self.workload.input(1)
        return n * out[0] * out[1] * 2 * self.pairs * w.shape[1] * self.window.taps

    def _tiles(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """Rows and vectors of pixels of register tiles, the cheapest first."""

        def cost(tile: tuple[int, int]) -> int:
            y, x = tile
            step = max(self.pairs * y * x, ENOUGH)
            return step * ceil_div(rows, y) * ceil_div(columns, x * self.across)

        tiles = [
            (y, x)
            for y in range(self.pool[0], min(rows, ACCUMULATORS) + 1, self.pool[0])
            for x in range(1, columns // self.across + 1)
            if self.pairs * y * x <= ACCUMULATORS
        ]
        return sorted(tiles, key=cost)

    def candidate(self) -> Candidate | None:
        """The launch for the default tile and division, with the others as its search space."""
        workload, window = self.workload, self.window
        x, w, y = workload.input(0), workload.input(1), workload.output
        n, m_blocks, channels = y.shape[0], y.shape[1], w.shape[1]
        out, down = window.kept(self.pool), self.pool[0]
        units = self.device.compute_units
        strips, _ = share(out[0] // down, 1, n, x.nbytes // n, w.nbytes, units)

        def make(values: Values) -> Candidate | None:
            strips, tile = values["STRIPS"], (values["TILE_Y"], values["TILE_X"])
            if tile not in self._tiles(out[0] // down // strips * down, out[1]):
                return None
            height, width = window.extent(ceil_div(out[0] // down, strips) * down)
            strip = round_up(channels * height * width, 16)
            work = 4 * strip * strips * n
            if work > min(self.device.max_allocation, 1 << 31):
                return None
            spec = TensorSpec((channels * window.taps, self.pairs, self.block))
            packed = (
                Packed(1, PairWeights(self.across), spec),
                Packed(2 if workload.has(2) else None, PairBias(w.shape[0], self.across),
                       spec.with_shape(spec.shape[1:])),
            )  # fmt: skip
            sizes = (strip, channels, *window.size, *out, *window.pads)
            call = KernelCall(
                "conv_blocked_few",
                "conv_blocked_few",
                (In(0), PackedRef(0), PackedRef(1), Out(), Work(), *map(np.int32, sizes)),
                (strips, 1, n),
                (1, 1, 1),
                (
                    *blocked_defines(workload, 3, self.device), *pool_defines(self.pool),
                    *window.defines(), ("PAIRS", self.pairs), ("M_BLOCKS", m_blocks),
                    ("TILE_Y", tile[0]), ("TILE_X", tile[1]),
                ),
            )  # fmt: skip
            return Candidate("few_maps", (call,), (work,), packed)

        tiles = self._tiles(out[0] // down // strips * down, out[1])
        return tunable(
            make,
            {
                "TILE_Y": choices(tiles[0][0], sorted({t[0] for t in tiles}), out[0]),
                "TILE_X": choices(tiles[0][1], sorted({t[1] for t in tiles}), out[1]),
                "STRIPS": choices(strips, (1, units, 2 * units, 4 * units), out[0] // down),
            },
        )
