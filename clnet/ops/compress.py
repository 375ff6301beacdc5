"""Compress: the slices that conditions choose. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, present
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Compress(Op):
    """x's slices along ``axis`` whose bool in conditions [at most as many] is true."""

    axis: int

    varies: ClassVar[bool] = True

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, conditions = present(inputs[0], "x", 1), present(inputs[1], "conditions", 1)
        axis = normal_axis(self.axis, x.rank)
        if conditions.dtype != "bool" or conditions.rank > 1:
            raise ShapeError(f"conditions {conditions} along axis {axis} of {x}")
        count = min(conditions.size, x.shape[axis])
        return (x.with_shape((*x.shape[:axis], count, *x.shape[axis + 1 :])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, conditions = inputs
        assert x is not None and conditions is not None
        return (np.compress(conditions[: x.shape[self.axis]], x, self.axis),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(0), In(1)), (Out(),)),))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(1), (Arg((3, 4, 2)), Arg(dtype="bool", values=[1, 1, 1, 1])))
