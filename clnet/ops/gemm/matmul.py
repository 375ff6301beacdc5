"""MatMul: numpy.matmul."""

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
class MatMul(Op):
    """y = epilogue(a @ b) by the rules of numpy.matmul: leading dimensions broadcast, vectors are
    a row in front and a column behind. Extra operands of the epilogue follow a and b."""

    epilogue: Expression = Expression()

    channel_axis: ClassVar[int] = -1
    spellings: ClassVar = {"onnx": {"MatMul": {}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        a, b = present(inputs[0], "a", 1), present(inputs[1], "b", 1)
        one_float_dtype(a, b)
        left, right = matrices(a.shape, b.shape)
        if left[-1] != right[-2]:
            raise ShapeError(f"MatMul of {a} and {b}: the inner dimensions differ")
        batch = np.broadcast_shapes(left[:-2], right[:-2])
        rows = left[-2:-1] if a.rank > 1 else ()
        columns = right[-1:] if b.rank > 1 else ()
        return (a.with_shape((*batch, *rows, *columns)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b, *extras = (x for x in inputs if x is not None)
        y = np.asarray(a @ b)
        return (self.epilogue.evaluate(y, *extras) if self.epilogue.steps else y,)


def matrices(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes with vectors made a row (a) and a column (b)."""
    return (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
