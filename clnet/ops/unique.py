"""Unique: each of a tensor's values or slices once. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, present
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Unique(Op):
    """x's different slices along ``axis``, or its different elements as a list without an axis;
    ascending if ``ordered``, else as they come. Then, int64: where each comes first, which of them
    each of x's slices is, and how many there are of each."""

    axis: int | None = None
    ordered: bool = True

    varies: ClassVar[bool] = True

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x")
        found, count = x.with_shape((x.size,)), x.size
        if self.axis is not None:
            found, count = x, x.shape[normal_axis(self.axis, x.rank)]
        return (found, *(TensorSpec((count,), "int64"),) * 3)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        found, first, which, counts = np.unique(x, True, True, True, self.axis)
        if not self.ordered:
            order = np.argsort(first)
            found = found.take(order, self.axis or 0)
            which, first, counts = np.argsort(order)[which.reshape(-1)], first[order], counts[order]
        indices = (a.reshape(-1).astype(np.int64) for a in (first, which, counts))
        return (found, *indices)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        outputs = tuple(Out(i) for i in range(4))
        return [Candidate("host", (HostCall(self.reference, (In(),), outputs),))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for ordered in (False, True):
            yield Case(cls(0, ordered), (Arg(values=[[3, 1], [2, 5], [1, 9]]),))
            yield Case(cls(None, ordered), (Arg(dtype="int32", values=[4, 1, 3]),))
