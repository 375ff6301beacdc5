"""How to cut a problem into tiles and tiles into work-items. Plain arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.ops.lowering import ceil_div, round_up


def least_waste(size: int, tiles: Sequence[int]) -> int:
    """The tile that covers ``size`` with the fewest idle elements; of equals the first."""
    return min(tiles, key=lambda t: round_up(size, t))


def split(outer: int, inner: int, items: int) -> tuple[int, int]:
    """How many of ``outer`` and of ``inner`` tiles a work-item takes so that there are about
    ``items`` work-items; the outer tiles are divided first."""
    outer_parts = min(outer, items)
    inner_parts = min(inner, ceil_div(items, outer_parts))
    return ceil_div(outer, outer_parts), ceil_div(inner, inner_parts)


def channel_tiles(
    blocks: int,
    rows: int,
    columns: int,
    registers: int,
    multiple: tuple[int, int] = (1, 1),
    room: tuple[int, int] | None = None,
) -> dict[tuple[int, int, int], float]:
    """Vectors of channels, rows and columns of register tiles for conv_channels, the best first,
    with their cost relative to it. Rows and columns are multiples of ``multiple``. Where work-items
    have areas of different size, ``rows`` and ``columns`` are the largest's and ``room`` those of
    the smallest, which a tile must fit.

    A step over one input channel costs a multiply-add per accumulator, but no less than their
    latency (of two units, about seven), and loads of one vector per block and one element per
    pixel, of which about two are issued beside every multiply-add. Idle parts of tiles at the edges
    count as work.
    """

    def cost(tile: tuple[int, int, int]) -> float:
        b, y, x = tile
        step = max(b * y * x, 7) + 0.5 * b + 0.25 * y * x
        return step * ceil_div(blocks, b) * ceil_div(rows, y) * ceil_div(columns, x)

    height, width = room or (rows, columns)
    tiles = [
        (b, y, x)
        for b in range(1, min(blocks, 4) + 1)
        for y in range(multiple[0], min(height, 4) + 1, multiple[0])
        for x in range(multiple[1], min(width, 14) + 1, multiple[1])
        if b * y * x + b + 1 <= registers - 1
    ]
    tiles.sort(key=cost)
    return {tile: cost(tile) / cost(tiles[0]) for tile in tiles}
