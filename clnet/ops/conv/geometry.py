"""The numbers of a convolution, its spatial rank raised to three by leading ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clnet.errors import ShapeError
from clnet.tensor_spec import TensorSpec

Triple = tuple[int, int, int]


def check_attributes(
    rank: int, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], groups: int
) -> None:
    """Raise ShapeError unless the attributes make sense for ``rank`` spatial dimensions (1..3)."""
    if not 1 <= rank <= 3:
        raise ShapeError(f"{rank} spatial dimensions; 1 to 3 are supported")
    if (len(strides), len(pads), len(dilations)) != (rank, 2 * rank, rank):
        raise ShapeError(
            f"strides {list(strides)}, pads {list(pads)} and dilations {list(dilations)} "
            f"do not fit {rank} spatial dimensions"
        )
    if min(*strides, *dilations, groups) < 1:
        raise ShapeError(f"strides {list(strides)}, dilations {list(dilations)} and groups "
                         f"{groups} must be positive")  # fmt: skip
    if min(pads) < 0:
        raise ShapeError(f"pads {list(pads)} are negative")


def output_size(size: int, kernel: int, stride: int, pads: int, dilation: int) -> int:
    """Positions of a window of ``kernel`` along one dimension of ``size`` elements."""
    return (size + pads - dilation * (kernel - 1) - 1) // stride + 1


@dataclass(frozen=True)
class Geometry:
    """x[n, groups * cg, *size] * w[groups * mg, cg, *kernel] -> y[n, groups * mg, *out].

    Per group there are ``cg`` input and ``mg`` output channels; triples are depth, height, width.
    """

    n: int
    groups: int
    cg: int
    mg: int
    size: Triple
    out: Triple
    kernel: Triple
    strides: Triple
    dilations: Triple
    pads: Triple  #: zeros ahead of each dimension; those behind follow from ``out``

    @classmethod
    def of(
        cls,
        x: TensorSpec,
        w: TensorSpec,
        y: TensorSpec,
        strides: Sequence[int],
        pads: Sequence[int],
        dilations: Sequence[int],
        groups: int,
    ) -> Geometry:
        """The geometry of a convolution whose shapes have been inferred."""
        return cls(
            x.shape[0], groups, w.shape[1], w.shape[0] // groups,
            triple(x.shape[2:]), triple(y.shape[2:]), triple(w.shape[2:]),
            triple(strides), triple(dilations), triple(pads[: x.rank - 2], 0),
        )  # fmt: skip

    @property
    def taps(self) -> int:
        """Elements of the kernel for one pair of channels."""
        return math.prod(self.kernel)

    @property
    def pixels(self) -> int:
        """Output positions of one channel."""
        return math.prod(self.out)

    @property
    def depth(self) -> int:
        """Products that are summed for one output element."""
        return self.cg * self.taps

    @property
    def is_pointwise(self) -> bool:
        """Whether every output element sees exactly the input at its own position."""
        return self.taps == 1 and self.size == self.out and self.strides == (1, 1, 1)

    @property
    def padded(self) -> Triple:
        """The extent of the input that the windows touch, padding included."""
        d, h, w = (
            (o - 1) * s + (k - 1) * e + 1
            for o, s, k, e in zip(self.out, self.strides, self.kernel, self.dilations, strict=True)
        )
        return d, h, w

    @property
    def touches_padding(self) -> bool:
        """Whether any window reaches beyond the input."""
        return any(self.pads) or any(p > s for p, s in zip(self.padded, self.size, strict=True))


@dataclass(frozen=True)
class Phases:
    """How a transposed convolution is put together from one convolution per phase of the output.

    Pixel p of phase f lands at p * strides + f - crop of an output of extent ``out``; ``kernel``
    is the whole kernel, of which every phase has a part.
    """

    strides: Triple
    crop: Triple
    out: Triple
    kernel: Triple


def triple(values: Sequence[int], fill: int = 1) -> Triple:
    """Depth, height and width of up to three dimensions, ``fill`` for the missing first ones."""
    d, h, w = (fill,) * (3 - len(values)) + tuple(values)
    return d, h, w
