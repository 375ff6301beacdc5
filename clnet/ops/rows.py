"""Geometry that kernels share which fold many elements into few: reductions, softmax, norms."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.device_info import DeviceInfo
from clnet.ops.lowering import grid, options

#: Elements in a row that make several work-items per row worth their barriers.
LONG_ROW = 64
#: Rows that keep a GPU busy with one item each.
MANY_ROWS = 1 << 14


def group_size(row: int, rows: int, device: DeviceInfo) -> int:
    """Work-items that share a row of ``row`` elements: a power of two, 1 where one is enough."""
    if device.is_cpu or row < LONG_ROW or rows >= MANY_ROWS:
        return 1
    limit = min(64, device.max_work_group_size, device.max_work_item_sizes[0], row // 8)
    return 1 << (max(1, limit).bit_length() - 1)


def group_options(row: int, rows: int, device: DeviceInfo) -> tuple[int, ...]:
    """Sizes of the group that shares a row, the untuned default first."""
    default = group_size(row, rows, device)
    limit = min(256, device.max_work_group_size, device.max_work_item_sizes[0], max(1, row // 4))
    others = () if device.is_cpu else (1, 8, 16, 32, 64, 128, 256)
    return options(default, [n for n in others if n <= limit])


def width_options(extent: int, device: DeviceInfo, *, dividing: bool = False) -> tuple[int, ...]:
    """Widths of vectors over ``extent`` elements, the widest first."""
    widths = [w for w in (16, 8, 4, 2, 1) if w <= device.vector_width]
    if dividing:
        return tuple(w for w in widths if extent % w == 0)
    return tuple(w for w in widths if w <= max(1, extent))


def row_launch(rows: int, group: int) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Global and local size for ``rows`` rows of ``group`` items each."""
    return ((rows * group,), (group,)) if group > 1 else (grid(rows), None)


def dividing_width(extent: int, device: DeviceInfo) -> int:
    """The widest vector that divides ``extent``."""
    return width_options(extent, device, dividing=True)[0]


def fitting_width(extent: int, device: DeviceInfo) -> int:
    """The widest vector that fits at least once into ``extent``."""
    return width_options(extent, device)[0]


def runs(shape: Sequence[int], axes: Sequence[int]) -> list[tuple[int, bool]]:
    """The shape as (extent, whether in ``axes``): neighbours of a kind merged, ones dropped."""
    merged: list[tuple[int, bool]] = []
    for d, extent in enumerate(shape):
        if extent == 1:
            continue
        inside = d in axes
        if merged and merged[-1][1] == inside:
            merged[-1] = (merged[-1][0] * extent, inside)
        else:
            merged.append((extent, inside))
    return merged
