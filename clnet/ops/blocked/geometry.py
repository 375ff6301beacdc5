"""The window of a convolution over blocked channels, and how its work is divided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clnet.calls import Define
from clnet.ops.lowering import ceil_div

#: Bytes of input that a strip may have: what stays in the cache of a core beside the weights.
STRIP_BYTES = 160 << 10
#: What a tile may cost, relative to the cheapest, and still be the default.
NEAR = 1.06


@dataclass(frozen=True)
class Window:
    """Sizes in height and width; ``pads`` are the zeros ahead of each."""

    size: tuple[int, int]
    out: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int]

    @property
    def taps(self) -> int:
        """Elements of the kernel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def is_pointwise(self) -> bool:
        """Whether every output element sees exactly the input at its own position."""
        return self.taps == 1 and self.size == self.out and self.strides == (1, 1)

    @property
    def touches_padding(self) -> bool:
        """Whether any window reaches beyond the input."""
        return any(self.pads) or any(
            (o - 1) * s + (k - 1) * d + 1 > n
            for o, s, k, d, n in zip(
                self.out, self.strides, self.kernel, self.dilations, self.size, strict=True
            )
        )

    @property
    def reach(self) -> tuple[int, int]:
        """Columns of padding that the first window of a row reaches into, and the last."""
        _, width = self.extent(self.out[0])
        return self.pads[1], max(0, width - self.size[1] - self.pads[1])

    def kept(self, pool: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of outputs that fill windows of ``pool``."""
        (height, width), (down, across) = self.out, pool
        return height // down * down, width // across * across

    def extent(self, rows: int) -> tuple[int, int]:
        """Height and width of the padded input that so many rows of outputs see."""
        height, width = (
            (o - 1) * s + (k - 1) * d + 1
            for o, s, k, d in zip(
                (rows, self.out[1]), self.strides, self.kernel, self.dilations, strict=True
            )
        )
        return height, width

    def defines(self) -> tuple[Define, ...]:
        """Kernel size, strides and dilations as macros: few values per model, unrolled by them."""
        return tuple(
            (stem + name, value)
            for stem, values in (
                ("KERNEL_", self.kernel), ("STRIDE_", self.strides), ("DILATION_", self.dilations),
            )
            for name, value in zip("HW", values, strict=True)
        )  # fmt: skip


def share(
    rows: int, blocks: int, images: int, input_bytes: int, weight_bytes: int, units: int
) -> tuple[int, int]:
    """Strips of rows and parts of the output blocks that an image is cut into, so that all cores
    have work and read little: every part reads the whole input of its strip, and every strip all
    weights of its part."""
    needed = ceil_div(units, images)
    strips = min(rows, ceil_div(input_bytes, STRIP_BYTES))
    if strips % needed == 0:
        return strips, 1
    if weight_bytes <= input_bytes and rows >= needed:
        return min(rows, ceil_div(strips, needed) * needed), 1
    return strips, min(blocks, needed)


def common_tile(costs: Mapping[tuple[int, int, int], float]) -> tuple[int, int, int]:
    """Of register tiles that cost about the least, the one that most layers can share: every other
    one is a program more to build. Tiles are blocks, rows and columns; costs are relative."""
    near = [tile for tile, cost in costs.items() if cost <= NEAR]
    return min(near, key=lambda tile: (tile[1], abs(tile[0] - 2), -tile[2]))


def choices(default: int, values: Sequence[int], limit: int) -> tuple[int, ...]:
    """A tunable's default, then other values from 1 to a limit."""
    return (default, *(v for v in dict.fromkeys(values) if v != default and 1 <= v <= limit))
