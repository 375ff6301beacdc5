"""MatMul: numpy.matmul."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.expression import Expression
from clnet.ops.gemm.choice import candidates
from clnet.ops.gemm.gradient import matmul_vjp
from clnet.ops.gemm.product import Product
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class MatMul(Op):
    """y = epilogue(a @ b) by the rules of numpy.matmul: leading dimensions broadcast, vectors are
    a row in front and a column behind. Extra operands of the epilogue follow a and b."""

    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    own_inputs: ClassVar[int] = 2
    channel_axes: ClassVar[tuple[int, ...]] = (-1,)
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

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        left, right = matrices(workload.input(0).shape, workload.input(1).shape)
        (*a_batch, m, k), (*b_batch, _, n) = left, right
        if math.prod(b_batch) == 1:  # one b for all: the rows of all a's are one matrix
            m, a_batch, b_batch = math.prod(left[:-1]), [], []
        product = Product(
            m, n, k,
            output=workload.output,
            batch=np.broadcast_shapes(tuple(a_batch), tuple(b_batch)),
            a_batch=tuple(a_batch),
            b_batch=tuple(b_batch),
            b_constant=workload.constant[1],
            epilogue=self.epilogue,
            extras=tuple(s for s in workload.inputs[2:] if s is not None),
        )  # fmt: skip
        return candidates(product, device)

    def multiply_adds(self, workload: Workload) -> int:
        return workload.output.size * workload.input(0).shape[-1]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return matmul_vjp(build, node, grads[0])

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for a, b in (
            ((5,), (5,)), ((5,), (5, 3)), ((4, 5), (5,)), ((2, 3, 9, 5), (5, 17)),
            ((2, 9, 5), (2, 5, 32)), ((2, 1, 9, 5), (3, 5, 7)), ((3, 4), (2, 4, 6)),
            ((2, 7, 8), (8,)), ((2, 1, 1, 24), (2, 3, 24, 40)),
        ):  # fmt: skip
            yield Case(cls(), (Arg(a), Arg(b)), differentiable=True)
        yield Case(cls(), (Arg((2, 3, 9)), Arg((2, 9, 21), constant=True)))
        op = cls(Expression.of("Add"))
        yield Case(op, (Arg((2, 3, 9)), Arg((9, 21), constant=True), Arg((21,))))
        yield Case(op, (Arg((2, 3, 9)), Arg((9,)), Arg((3,))))


def matrices(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes with vectors made a row (a) and a column (b)."""
    return (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
