"""Where pooling windows lie."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clnet.errors import ShapeError
from clnet.ops.lowering import ceil_div
from clnet.tensor_spec import TensorSpec


@dataclass(frozen=True)
class Axis:
    """Windows along one spatial axis of ``size`` elements."""

    size: int
    kernel: int
    stride: int
    begin: int  #: padding in front
    end: int  #: padding behind
    dilation: int
    ceil_mode: bool

    @property
    def count(self) -> int:
        """Number of windows: as ONNX, one that would start in the padding behind is dropped."""
        room = self.size + self.begin + self.end - self.dilation * (self.kernel - 1) - 1
        if room < 0:
            return 0
        if not self.ceil_mode:
            return room // self.stride + 1
        count = ceil_div(room, self.stride) + 1
        return count - ((count - 1) * self.stride >= self.size + self.begin)

    def taps(self, window: int) -> range:
        """Positions of a window's taps; those outside 0..size-1 lie in the padding."""
        start = window * self.stride - self.begin
        return range(start, start + self.kernel * self.dilation, self.dilation)

    @property
    def middle(self) -> range:
        """The windows none of whose taps lies in the padding."""
        first = ceil_div(self.begin, self.stride)
        last = (self.size - 1 + self.begin - self.dilation * (self.kernel - 1)) // self.stride
        return range(first, max(first, min(last + 1, self.count)))


def axes_of(
    x: TensorSpec, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int],
    dilations: Sequence[int], ceil_mode: bool,
) -> list[Axis]:  # fmt: skip
    """The windows over x[N, C, *spatial]. Raises ShapeError where the attributes do not fit."""
    rank = x.rank - 2
    if not 1 <= rank <= 3:
        raise ShapeError(f"pooling of {x}: 1 to 3 spatial dimensions are supported")
    if [len(kernel), len(strides), len(pads), len(dilations)] != [rank, rank, 2 * rank, rank]:
        raise ShapeError(f"pooling of {x}: kernel, strides, pads or dilations of another rank")
    if min(*kernel, *strides, *dilations) < 1 or min(pads) < 0:
        raise ShapeError("pooling: kernel, strides and dilations start at 1, pads at 0")
    axes = [
        Axis(size, kernel[i], strides[i], pads[i], pads[rank + i], dilations[i], ceil_mode)
        for i, size in enumerate(x.shape[2:])
    ]
    if any(axis.count < 1 for axis in axes):
        raise ShapeError(f"pooling: a window of {list(kernel)} does not fit into {x}")
    return axes


def windows(axes: Sequence[Axis]) -> Iterator[tuple[tuple[int, ...], list[range]]]:
    """Every output position with its taps along each axis."""
    for position in itertools.product(*(range(a.count) for a in axes)):
        yield position, [a.taps(p) for a, p in zip(axes, position, strict=True)]
