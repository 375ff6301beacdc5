"""RoiPool: the maximum of each part of a region (Fast R-CNN). Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.host_gradient import host_vjp
from clnet.tensor_spec import TensorSpec

#: Region, row and column of a part; its image, channels, rows and columns.
Place = tuple[int, int, int]
Part = tuple[int, slice, slice, slice]


@register
@dataclass(frozen=True)
class RoiPool(Op):
    """x[N, C, H, W] and regions [R, 5] of (image, x1, y1, x2, y2) → y[R, C, *size].

    A region's corners are multiplied by ``scale`` and rounded, halves away from zero; both belong
    to it. It is divided into ``size`` parts, which overlap where they do not divide evenly; one
    without any element of x is 0. Image numbers beyond N are clamped.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    size: tuple[int, int]
    scale: float = 1.0

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, regions = present(inputs[0], "x", 4), present(inputs[1], "regions", 2)
        one_float_dtype(x, regions)
        if x.rank != 4 or not x.size or regions.size != 5 * regions.shape[0]:
            raise ShapeError(f"regions {regions} of {x}")
        if min(self.size) < 1:
            raise ShapeError(f"a region in {list(self.size)} parts")
        return (x.with_shape((regions.shape[0], x.shape[1], *self.size)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, regions = inputs
        assert x is not None and regions is not None
        y = np.zeros((len(regions), x.shape[1], *self.size), x.dtype)
        for (i, r, c), part in self._parts(x, regions):
            y[i, :, r, c] = x[part].max((1, 2))
        return (y,)

    def _parts(self, x: np.ndarray, regions: np.ndarray) -> Iterator[tuple[Place, Part]]:
        """Where in y each part with any element is, and where in x."""
        regions = np.nan_to_num(regions.astype(np.float64).reshape(-1, 5))
        for i, (number, *corners) in enumerate(regions):
            image = int(np.clip(number, 0, len(x) - 1))
            scaled = np.asarray(corners) * self.scale
            left, top, right, bottom = np.trunc(scaled + np.copysign(0.5, scaled))
            rows = _parts(top, bottom, self.size[0], x.shape[2])
            columns = _parts(left, right, self.size[1], x.shape[3])
            for r, row in enumerate(rows):
                for c, column in enumerate(columns):
                    if row.stop > row.start and column.stop > column.start:
                        yield (i, r, c), (image, slice(None), row, column)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(0), In(1)), (Out(),)),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return host_vjp(build, node, grads[0])

    def pull_back(self, x: np.ndarray, regions: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """The gradient of x: each part's goes to its first maximum."""
        dx = np.zeros(x.shape, np.float64)
        channels = np.arange(x.shape[1])
        for (i, r, c), part in self._parts(x, regions):
            flat = x[part].reshape(x.shape[1], -1).argmax(1)
            row, column = np.unravel_index(flat, x[part].shape[1:])
            dx[part][channels, row, column] += dy[i, :, r, c]
        return dx

    @classmethod
    def cases(cls) -> Iterable[Case]:
        regions = [[0, 2, 1, 9, 7], [1, 0, 0, 5, 5], [1, 8, 4, 3, 2], [0, 30, 30, 40, 40]]
        yield Case(cls((2, 3), 0.5), (Arg((2, 3, 8, 9)), Arg(values=regions)), differentiable=(0,))


def _parts(first: float, last: float, count: int, size: int) -> list[slice]:
    """``count`` parts of ``first`` to ``last``, within ``size`` elements."""
    step = max(last - first + 1, 1) / count
    starts = np.floor(np.arange(count) * step) + first
    ends = np.ceil((np.arange(count) + 1) * step) + first
    limits = np.clip([starts, ends], 0, size).astype(int)
    return [slice(start, end) for start, end in limits.T]
