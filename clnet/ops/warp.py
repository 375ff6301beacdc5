"""Warp: images sampled where an affine map and a field of displacements say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.lowering import float_defines, grid
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Warp(Op):
    """y[n, c, i, j] = x[n, c] at column m0*j + m1*i + m2 + field[n, 0, i, j] and row m3*j + m4*i +
    m5 + field[n, 1, i, j], m being matrices[n]; linear between pixels, 0 outside.

    Inputs: x[N, C, H, W], matrices[N, 6], and optionally field[N, 2, H, W].
    """

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, matrices = present(inputs[0], "x", 4), present(inputs[1], "matrices")
        field = inputs[2] if len(inputs) > 2 else None
        one_float_dtype(x, matrices, *([field] if field else []))
        if x.rank != 4 or matrices.shape != (x.shape[0], 6):
            raise ShapeError(f"matrices {list(matrices.shape)} do not fit x {list(x.shape)}")
        if field and field.shape != (x.shape[0], 2, *x.shape[2:]):
            raise ShapeError(f"field {list(field.shape)} does not fit x {list(x.shape)}")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, matrices = inputs[0], inputs[1]
        assert x is not None and matrices is not None
        count, _, height, width = x.shape
        i, j = np.mgrid[:height, :width]
        m = matrices.astype(np.float64).reshape(count, 6, 1, 1)
        u = m[:, 0] * j + m[:, 1] * i + m[:, 2]
        v = m[:, 3] * j + m[:, 4] * i + m[:, 5]
        if len(inputs) > 2 and inputs[2] is not None:
            u, v = u + inputs[2][:, 0], v + inputs[2][:, 1]
        u, v = np.clip(u, -1, width), np.clip(v, -1, height)
        left, top = np.floor(u).astype(int), np.floor(v).astype(int)
        padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 2), (1, 2)))
        result = np.zeros(x.shape)
        n = np.arange(count)[:, None, None]
        for row, vertical in ((top, 1 - (v - top)), (top + 1, v - top)):
            for column, horizontal in ((left, 1 - (u - left)), (left + 1, u - left)):
                taps = padded[n, :, row + 1, column + 1]  # [N, H, W, C]
                result += (taps * (vertical * horizontal)[..., None]).transpose(0, 3, 1, 2)
        return (result.astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        batch, channels, height, width = workload.output.shape
        has_field = workload.has(2)
        defines = (
            *float_defines(workload.output.dtype, device),
            ("BATCH", batch),
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("FIELD", int(has_field)),
        )
        args = (In(0), In(1), *([In(2)] if has_field else []), Out())
        call = KernelCall("warp", "warp", args, grid(batch * height * width), None, defines)
        return [Candidate("warp", (call,))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        turned = [[0.8, -0.6, 5.3, 0.6, 0.8, -2.1], [-1, 0, 8, 0, 1, 0], [1e4, 0, 0, 0, 1e4, 0]]
        matrices = Arg((3, 6), values=turned)
        exact = [[1, 0, 0, 0, 1, 0], [1, 0, 0.25, 0, 1, -0.5], [0, 1, 0, 1, 0, 0]]
        yield Case(cls(), (Arg((3, 2, 7, 9)), Arg((3, 6), values=exact)), tolerance_fp16=2e-2)
        yield Case(cls(), (Arg((3, 1, 11, 13)), matrices), tolerance_fp16=3e-2)
        yield Case(
            cls(), (Arg((3, 3, 9, 8)), matrices, Arg((3, 2, 9, 8), low=-4, high=4)),
            tolerance_fp16=3e-2,
        )  # fmt: skip
