"""MaxUnpool: elements put back where pooling took them from. Computed on the host."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.ops.elementwise import calculate
from clnet.ops.reshape import Reshape
from clnet.ops.scatter_elements import ScatterElements
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class MaxUnpool(Op):
    """x[N, C, h, w] and int64 positions of the same shape → y[N, C, *size]: each element of x at
    its position in its map, counted row by row, and zeros elsewhere.

    Of several at one position the last stays; positions outside the map are left out.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    size: tuple[int, int]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, positions = present(inputs[0], "x", 4), present(inputs[1], "positions", 4)
        if x.rank != 4 or positions != TensorSpec(x.shape, "int64"):
            raise ShapeError(f"positions {positions} do not fit {x}")
        if min(self.size) < 1:
            raise ShapeError(f"unpooling to {list(self.size)}")
        return (x.with_shape((*x.shape[:2], *self.size)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, positions = inputs
        assert x is not None and positions is not None
        maps, rows = x.reshape(-1, x[0, 0].size), positions.reshape(-1, x[0, 0].size)
        y = np.zeros((len(maps), self.size[0] * self.size[1]), x.dtype)
        which, column = np.nonzero((rows >= 0) & (rows < y.shape[1]))
        y[which, rows[which, column]] = maps[which, column]
        return (y.reshape(*x.shape[:2], *self.size),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(0), In(1)), (Out(),)),))]

    def expand(self, build: GraphBuilder, *inputs: Value | None) -> tuple[Value | None, ...]:
        x, positions = inputs
        assert x is not None
        maps, size = x.spec.shape[0] * x.spec.shape[1], math.prod(self.size)
        rows = Reshape((maps, math.prod(x.spec.shape[2:])))
        places, outside = build.add(rows, positions), build.constant(np.int64(size))
        before = calculate(build, "Less", places, build.constant(np.int64(0)))
        places = calculate(build, "Where", before, outside, places)  # not counted from the end
        empty = build.constant(np.zeros((maps, size), x.spec.dtype))
        y = build.add(ScatterElements(1), empty, places, build.add(rows, x))
        return (build.add(Reshape((*x.spec.shape[:2], *self.size)), y),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        positions = Arg((2, 3, 2, 3), "int64", -2, 26)
        yield Case(cls((4, 6)), (Arg((2, 3, 2, 3)), positions), differentiable=True)
