"""BitCast: the same bits as elements of another dtype."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class BitCast(Op):
    """x's memory read as ``dtype``, whose elements are as large. As bool, any bit is true."""

    dtype: str

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x")
        y = x.with_dtype(self.dtype)
        if y.itemsize != x.itemsize:
            raise ShapeError(f"the bits of {x} as {self.dtype}")
        return (y,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.ascontiguousarray(x).view(self.dtype).reshape(x.shape),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        y = workload.output
        whole = View.of((y.size,))
        call = copy_call(In(), Out(), y.itemsize, (y.size,), whole, whole, device)
        return [Candidate("copy", (call,), placements=(Placement(Out(), In(), 0, 0),))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls("uint32"), (Arg((3, 5), "int32", -9, 9),))
        yield Case(cls("int16"), (Arg((7,), "float16"),))
