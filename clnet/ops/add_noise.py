"""AddNoise: normal random numbers on top of samples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.lowering import ceil_div, float_defines, grid
from clnet.ops.philox import philox
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class AddNoise(Op):
    """y = x + normal random numbers of standard deviation ``deviation``.

    Inputs: x[N, ...] and keys uint32[N]: a sample's noise is a function of its key.
    """

    deviation: float

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, keys = present(inputs[0], "x", 1), present(inputs[1], "keys")
        one_float_dtype(x)
        if keys != TensorSpec(x.shape[:1], "uint32"):
            raise ShapeError(f"keys are {keys}, not uint32 [{x.shape[0]}]")
        if not 0 <= self.deviation < math.inf:
            raise ShapeError(f"a standard deviation of {self.deviation}")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, keys = inputs
        assert x is not None and keys is not None
        inner = x.size // max(1, len(x))
        counter = np.ones((len(x), ceil_div(inner, 2), 2), np.uint32)
        counter[:, :, 0] = np.arange(counter.shape[1])
        words = (philox(counter, keys[:, None]) >> np.uint32(8)).astype(np.float64)
        radius = np.sqrt(-2 * np.log((words[..., 0] + 1) / 2**24))
        angle = words[..., 1] / 2**24 * 2 * np.pi
        pairs = radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        noise = pairs.reshape(len(x), -1)[:, :inner].reshape(x.shape)
        return ((x + self.deviation * noise).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        inner = x.size // x.shape[0]
        defines = (
            *float_defines(x.dtype, device),
            ("BATCH", x.shape[0]),
            ("INNER", inner),
            ("DEVIATION", f"{float(self.deviation)!r}f"),
        )
        size = grid(x.shape[0] * ceil_div(inner, 2))
        call = KernelCall("add_noise", "add_noise", (In(0), In(1), Out()), size, None, defines)
        return [Candidate("box-muller", (call,))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        keys = Arg((3,), "uint32", values=[0, 7, (1 << 32) - 1])
        yield Case(cls(0.5), (Arg((3, 2, 5, 7)), keys))
        yield Case(cls(0.0), (Arg((3, 9)), keys))
