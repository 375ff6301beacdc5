"""Determinant of matrices. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Determinant(Op):
    """x[..., N, N] → y[...]."""

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 2)
        one_float_dtype(x)
        if x.shape[-1] != x.shape[-2]:
            raise ShapeError(f"the determinant of {x}")
        return (x.with_shape(x.shape[:-2]),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.asarray(np.linalg.det(x.astype(np.float64))).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(),), (Out(),)),))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(), (Arg((2, 3, 4, 4)),))
        yield Case(cls(), (Arg((1, 1)),))
