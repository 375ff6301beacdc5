"""RoiAlign: averages or maxima over the parts of regions, between elements (Mask R-CNN)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.host_gradient import host_vjp
from clnet.ops.lowering import float_defines, grid
from clnet.tensor_spec import TensorSpec

#: Samples along a side of a part, at most, where a region's size decides.
MOST = 64

#: Where in y a part is, its image, the rows and columns of elements, and their weights.
Part = tuple[tuple[int, int, int], int, tuple[np.ndarray, np.ndarray], np.ndarray]


@register
@dataclass(frozen=True)
class RoiAlign(Op):
    """x[N, C, H, W], regions [R, 4] of (x1, y1, x2, y2) and their image numbers [R] (int32 or
    int64) → y[R, C, *size].

    A region, its corners multiplied by ``scale`` (and half an element before with
    ``half_pixel``), has ``size`` parts. Of each, ``samples`` by ``samples`` points, or one for
    every element's length where that is 0, are interpolated between four elements; y is their mean,
    or the largest of the elements' weighted values with ``largest``. Points more than one element
    outside are 0. Image numbers beyond N are clamped.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    size: tuple[int, int]
    samples: int = 0
    scale: float = 1.0
    half_pixel: bool = True
    largest: bool = False

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, regions = present(inputs[0], "x", 4), present(inputs[1], "regions", 2)
        numbers = present(inputs[2], "image numbers", 1)
        one_float_dtype(x, regions)
        count = regions.shape[0]
        if x.rank != 4 or not x.size or regions.shape != (count, 4) or numbers.shape != (count,):
            raise ShapeError(f"regions {regions} in images {numbers} of {x}")
        if numbers.dtype not in ("int32", "int64"):
            raise ShapeError(f"image numbers are {numbers.dtype}")
        if min(self.size) < 1 or not 0 <= self.samples <= MOST:
            raise ShapeError(f"{list(self.size)} parts of {self.samples} samples")
        return (x.with_shape((count, x.shape[1], *self.size)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, regions, numbers = inputs
        assert x is not None and regions is not None and numbers is not None
        y = np.zeros((len(regions), x.shape[1], *self.size))
        for (r, i, j), image, (rows, columns), weights in self._parts(x, regions, numbers):
            values = weights * x[image][:, rows, columns]
            y[r, :, i, j] = values.max(1) if self.largest else 4 * values.mean(1)
        return (y.astype(x.dtype),)

    def _parts(self, x: np.ndarray, regions: np.ndarray, numbers: np.ndarray) -> Iterator[Part]:
        """All parts with any points: where in y, the image, elements of x and their weights."""
        for r, region in enumerate(regions.astype(np.float64)):
            image = int(np.clip(numbers[r], 0, len(x) - 1))
            left, top, right, bottom = region * self.scale - 0.5 * self.half_pixel
            down = _points(top, bottom, self.size[0], self.samples, x.shape[2], self.half_pixel)
            along = _points(left, right, self.size[1], self.samples, x.shape[3], self.half_pixel)
            for i, rows in enumerate(down):
                for j, columns in enumerate(along):
                    taps = [t for row in rows for t in row], [t for c in columns for t in c]
                    (ir, wr), (ic, wc) = (np.array(t).reshape(-1, 2).T for t in taps)
                    places = np.meshgrid(ir.astype(int), ic.astype(int), indexing="ij")
                    if places[0].size:
                        weights = np.outer(wr, wc).ravel()
                        yield (r, i, j), image, (places[0].ravel(), places[1].ravel()), weights

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, numbers, y = workload.input(0), workload.input(2), workload.output
        defines = (
            *float_defines(x.dtype, device),
            ("IMAGES", x.shape[0]), ("CHANNELS", x.shape[1]),
            ("HEIGHT", x.shape[2]), ("WIDTH", x.shape[3]),
            ("ROWS", self.size[0]), ("COLUMNS", self.size[1]),
            ("SAMPLES", self.samples), ("MOST", MOST), ("LARGEST", int(self.largest)),
            ("HALF_PIXEL", int(self.half_pixel)), ("INDEX_WORDS", numbers.itemsize // 4),
            ("SIZE", y.size),
        )  # fmt: skip
        args = (In(0), In(1), In(2), Out(), np.float32(self.scale))
        call = KernelCall("roi_align", "roi_align", args, grid(y.size), None, defines)
        return [Candidate("roi_align", (call,))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return host_vjp(build, node, grads[0])

    def pull_back(
        self, x: np.ndarray, regions: np.ndarray, numbers: np.ndarray, dy: np.ndarray
    ) -> np.ndarray:
        """The gradient of x."""
        dx = np.zeros(x.shape, np.float64)
        channels = np.arange(x.shape[1])
        for (r, i, j), image, (rows, columns), weights in self._parts(x, regions, numbers):
            if self.largest:
                chosen = (weights * x[image][:, rows, columns]).argmax(1)
                share = dy[r, :, i, j] * weights[chosen]
                dx[image][channels, rows[chosen], columns[chosen]] += share
            else:
                share = np.outer(dy[r, :, i, j], weights) * (4 / len(weights))
                np.add.at(dx[image], (channels[:, None], rows, columns), share)
        return dx

    @classmethod
    def cases(cls) -> Iterable[Case]:
        regions = [[1, 1.5, 9, 7.2], [0, 0, 5, 5], [8, 4, 3, 2], [12, 11, 40, 40], [-9, 0, 3, 30]]
        numbers = Arg(dtype="int64", values=[0, 1, 1, 0, 7])
        for half_pixel, largest in ((True, False), (False, True)):
            for samples in (0, 2):
                op = cls((2, 3), samples, 0.5, half_pixel, largest)
                inputs = Arg((2, 3, 8, 9)), Arg(values=regions), numbers
                yield Case(op, inputs, differentiable=(0,))


#: Two elements along an axis with their weights.
Taps = tuple[tuple[int, float], tuple[int, float]]


def _points(
    first: float, last: float, parts: int, samples: int, extent: int, half_pixel: bool
) -> list[list[Taps]]:
    """Along an axis of ``extent``, for each part of a region its points."""
    length = last - first if half_pixel else max(last - first, 1.0)
    step = length / parts
    count = samples or min(max(int(np.ceil(step)), 0), MOST)
    return [
        [_taps(first + p * step + (i + 0.5) * step / count, extent) for i in range(count)]
        for p in range(parts)
    ]


def _taps(place: float, extent: int) -> Taps:
    if place < -1 or place > extent:
        return ((0, 0.0), (0, 0.0))
    place = min(max(place, 0.0), extent - 1.0)
    low = int(place)
    return ((low, 1 - (place - low)), (min(low + 1, extent - 1), place - low))
