"""Gemm: the product of two matrices, plus a third; ONNX's, with fully connected layers in mind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.expression import Expression
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Gemm(Op):
    """y[M, N] = epilogue(alpha * op(a) @ op(b) + beta * c); op transposes where asked.

    Inputs a, b, c (None, or anything that broadcasts to y), then the epilogue's extra operands.
    """

    alpha: float = 1.0
    beta: float = 1.0
    trans_a: bool = False
    trans_b: bool = False
    epilogue: Expression = Expression()

    channel_axis: ClassVar[int] = -1
    spellings: ClassVar = {
        "onnx": {
            "Gemm": {"alpha": "alpha", "beta": "beta", "transA": "trans_a", "transB": "trans_b"}
        }
    }

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        a, b = present(inputs[0], "a"), present(inputs[1], "b")
        c = inputs[2] if len(inputs) > 2 else None
        one_float_dtype(a, b, c)
        if a.rank != 2 or b.rank != 2:
            raise ShapeError(f"Gemm of {a} and {b}, which are not both matrices")
        m, k = a.shape[::-1] if self.trans_a else a.shape
        k2, n = b.shape[::-1] if self.trans_b else b.shape
        if k != k2:
            raise ShapeError(f"Gemm of {a} and {b}: inner dimensions {k} and {k2} differ")
        if c is not None and np.broadcast_shapes(c.shape, (m, n)) != (m, n):
            raise ShapeError(f"{c} does not broadcast to {[m, n]}")
        return (a.with_shape((m, n)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b, c = (*inputs, None)[:3]
        assert a is not None and b is not None
        y = self.alpha * ((a.T if self.trans_a else a) @ (b.T if self.trans_b else b))
        if c is not None:
            y = y + self.beta * c
        y = y.astype(a.dtype)
        extras = [e for e in inputs[3:] if e is not None]
        return (self.epilogue.evaluate(y, *extras) if self.epilogue.steps else y,)
