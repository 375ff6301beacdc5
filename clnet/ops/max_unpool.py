"""MaxUnpool: elements put back where pooling took them from. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
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

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls((4, 6)), (Arg((2, 3, 2, 3)), Arg((2, 3, 2, 3), "int64", -2, 26)))
