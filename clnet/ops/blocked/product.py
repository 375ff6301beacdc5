"""Convolution over blocked channels in one launch: the calls of conv_blocked.cl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from clnet.calls import (
    Candidate,
    Define,
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
from clnet.ops.blocked.geometry import Window, choices, common_tile, share
from clnet.ops.blocked.packing import pack_bias, pack_weights
from clnet.ops.conv.tiles import channel_tiles
from clnet.ops.epilogue import epilogue_defines
from clnet.ops.expression import Expression
from clnet.ops.lowering import ceil_div, float_defines

#: Where the kernel finds what it multiplies with the weights; the values are its macro's.
Source = Literal["direct", "copied", "plain", "depthwise", "expanded"]
SOURCES: tuple[Source, ...] = ("direct", "copied", "plain", "depthwise", "expanded")
#: Tiles that should cost more than this times the best are not offered.
WORTH_TRYING = 1.1


@dataclass(frozen=True)
class Product:
    """A workload whose output y[n, groups * m_blocks, oh, ow, block] is a product with the weights
    that are its input ``weights``, behind which stand the bias and the epilogue's extras.

    ``ahead`` are the packed constants and ``middle`` the macros of what the source itself needs,
    and ``row_elements`` the memory for a row of its input. The output keeps the largest of each
    ``pool`` rows and columns of the window's.
    """

    workload: Workload
    device: DeviceInfo
    window: Window
    groups: int
    source: Source
    weights: int = 1
    ahead: tuple[Packed, ...] = ()
    middle: tuple[Define, ...] = ()
    pool: tuple[int, int] = (1, 1)
    row_elements: int = 0

    @property
    def block(self) -> int:
        """Channels of a block of the output."""
        return self.workload.output.shape[-1]

    def candidate(self, name: str) -> Candidate | None:
        """The launch for the default tile and division, with the others as its search space."""
        workload, window = self.workload, self.window
        w, y = workload.input(self.weights), workload.output
        cg, mg = w.shape[1], w.shape[0] // self.groups
        lanes = cg if self.source == "plain" else self.block
        m_blocks, images = ceil_div(mg, self.block), y.shape[0] * self.groups
        flat = self._is_computed or (window.is_pointwise and not self._pools)
        one_row = self.source == "direct" and flat  # cut anywhere
        size, (down, across) = window.size, self.pool
        out = window.kept(self.pool)
        if one_row:
            size = out = (out[0] * out[1], 1)
        seen = cg * size[0] * size[1] * 4
        if self.source == "expanded":  # rows that two strips see are computed twice: fewer, larger
            seen = cg * out[0] * out[1] * 2
        strips, parts = share(
            out[0] // down, m_blocks, images, seen, w.size * w.itemsize, self.device.compute_units
        )

        def tiles(strips: int) -> dict[tuple[int, int, int], float]:
            def area(rows: int) -> tuple[int, int]:
                return (1, rows * down * out[1]) if flat else (rows * down, out[1])

            rows = out[0] // down
            most, least = area(ceil_div(rows, strips)), area(rows // strips)
            return channel_tiles(m_blocks, *most, registers(self.block), self.pool, least)

        def make(values: Values) -> Candidate | None:
            strips, parts = values["STRIPS"], values["PARTS"]
            tile = values["TILE_B"], values["TILE_Y"], values["TILE_X"]
            if tiles(strips).get(tile, WORTH_TRYING + 1) > WORTH_TRYING:
                return None
            blocks_per_item = ceil_div(m_blocks, parts)
            global_size = (strips, ceil_div(m_blocks, blocks_per_item), images)
            strip = self._strip_elements(ceil_div(out[0] // down, strips) * down, cg)
            if y.dtype == "float16":  # widened weights
                strip += tile[0] * w.size // w.shape[0] * self.block
            work = strip * strips * global_size[1] * images * 4
            if work > min(self.device.max_allocation, 1 << 31):
                return None
            packed = (
                *self.ahead,
                pack_weights(self.weights, w, self.groups, self.block, lanes),
                pack_bias(self.weights + 1, workload.has(self.weights + 1), w, self.groups,
                          self.block),
            )  # fmt: skip
            sizes = (self.groups, cg, mg, *size, *out, *window.pads, blocks_per_item)
            call = KernelCall(
                "conv_blocked",
                "conv_blocked",
                (
                    In(0), *(PackedRef(i) for i in range(len(packed))), Out(),
                    *((Work(), np.int32(strip)) if work else ()),
                    *map(np.int32, sizes),
                    *(In(i) for i in range(self.weights + 2, len(workload.inputs))),
                ),
                global_size,
                (1, 1, 1),
                (
                    *self._defines(), ("SOURCE", SOURCES.index(self.source)),
                    *(replace(window, strides=(1, 1)) if one_row else window).defines(),
                    ("CB", lanes), ("LAST", cg % lanes), ("FLAT", int(flat)),
                    *zip(("TILE_B", "TILE_Y", "TILE_X"), tile, strict=True),
                ),
            )  # fmt: skip
            return Candidate(name, (call,), (work,) if work else (), packed)

        costs = tiles(strips)
        default = next(iter(costs)) if self._pools else common_tile(costs)
        units = self.device.compute_units
        return tunable(
            make,
            {
                "TILE_B": choices(default[0], range(1, 5), m_blocks),
                "TILE_Y": choices(default[1], range(down, 4 * down, down), out[0]),
                "TILE_X": choices(default[2], range(across, 15, across), out[0] * out[1]),
                "STRIPS": choices(
                    strips, (1, units, 2 * units, 4 * units, 8 * units), out[0] // down
                ),
                "PARTS": choices(parts, (1, units, 2 * units), m_blocks),
            },
        )

    def _strip_elements(self, rows: int, cg: int) -> int:
        """Elements of an item's part of the workspace, a multiple of a cache's line."""
        if self.source == "direct":
            return 0
        height, width = self.window.extent(rows)
        beside = self.row_elements * min(self.window.size[0], height)
        if self._is_computed:
            height, width = rows, self.window.out[1]
        lanes = cg if self.source == "plain" else self.block
        return ceil_div(ceil_div(cg, lanes) * lanes * height * width + beside, 16) * 16

    def _defines(self) -> tuple[Define, ...]:
        return (
            *blocked_defines(self.workload, self.weights + 2, self.device),
            *self.middle,
            *pool_defines(self.pool),
        )

    @property
    def _is_computed(self) -> bool:
        return self.source in ("depthwise", "expanded")

    @property
    def _pools(self) -> bool:
        return self.pool != (1, 1)


def registers(block: int) -> int:
    """Vector registers of a CPU whose vectors hold so many channels."""
    return 16 if block == 8 else 32


def stage_defines(
    macro: str, expression: Expression, workload: Workload, device: DeviceInfo
) -> tuple[Define, ...]:
    """``macro`` for what becomes of a stage's results ahead of the product; they are its only
    operand."""
    found = epilogue_defines(expression, (), workload.output, device)
    return tuple((n.replace("EPILOGUE", macro), text) for n, text in found if "(" in n)


def pool_defines(pool: tuple[int, int]) -> tuple[Define, ...]:
    """The macros for a kernel that keeps the largest of so many rows and columns."""
    return () if pool == (1, 1) else (("POOL_H", pool[0]), ("POOL_W", pool[1]))


def blocked_defines(workload: Workload, extras: int, device: DeviceInfo) -> tuple[Define, ...]:
    """Types, vectors and epilogue of kernels on blocked channels; the epilogue's operands are the
    inputs from ``extras`` on. Halves are computed as float: CPUs convert as they load."""
    device, y = replace(device, fp16=False), workload.output
    operands: Sequence[object] = workload.inputs[extras:]
    specs = [s for s in workload.inputs[extras:] if s is not None]
    assert len(specs) == len(operands)
    epilogue = epilogue_defines(workload.op.epilogue, specs, y, device, (1, 4))
    return (*float_defines(y.dtype, device), ("VW", y.shape[-1]), *epilogue)
