"""NonZero: where elements are not zero. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class NonZero(Op):
    """The indices of x's elements that are not zero, one per column, row by row: int64 of
    [rank of x, at most its size]."""

    varies: ClassVar[bool] = True
    spellings: ClassVar = {"onnx": {"NonZero": {}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x")
        return (TensorSpec((x.rank, x.size), "int64"),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.array(np.nonzero(np.atleast_1d(x)), np.int64)[: x.ndim],)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(),), (Out(),)),))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(), (Arg(values=[[1, 2], [3, -1]]),))
