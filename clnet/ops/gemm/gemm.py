"""Gemm: the product of two matrices, plus a third; ONNX's, with fully connected layers in mind."""

from __future__ import annotations

import itertools
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
from clnet.ops.gemm.gradient import gemm_vjp
from clnet.ops.gemm.product import Product
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
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    own_inputs: ClassVar[int] = 3
    channel_axes: ClassVar[tuple[int, ...]] = (-1,)
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

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        a, y = workload.input(0), workload.output
        m, n = y.shape
        product = Product(
            m,
            n,
            a.shape[0] if self.trans_a else a.shape[1],
            output=y,
            trans_a=self.trans_a,
            trans_b=self.trans_b,
            alpha=self.alpha,
            beta=self.beta,
            c=workload.input(2) if workload.has(2) else None,
            b_constant=workload.constant[1],
            epilogue=self.epilogue,
            first_extra=3,
            extras=tuple(s for s in workload.inputs[3:] if s is not None),
        )
        return candidates(product, device)

    def multiply_adds(self, workload: Workload) -> int:
        return workload.output.size * workload.input(0).shape[0 if self.trans_a else 1]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return gemm_vjp(build, node, grads[0])

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for trans_a, trans_b in itertools.product((False, True), repeat=2):
            a = Arg((23, 17) if trans_a else (17, 23))
            b = Arg((43, 23) if trans_b else (23, 43))
            op = cls(0.5, 2.0, trans_a, trans_b)
            yield Case(op, (a, b, Arg((17, 1))), differentiable=True)
        yield Case(cls(0.5, 2.0), (Arg((17, 23)), Arg((23, 43), constant=True), Arg((43,))))
        yield Case(cls(trans_b=True), (Arg((8, 23)), Arg((43, 23), constant=True), Arg(())))
        yield Case(cls(), (Arg((1, 64)), Arg((64, 50), constant=True), Arg((50,))))
        yield Case(cls(trans_b=True), (Arg((3, 33)), Arg((7, 33)), Arg((3, 7))))
        yield Case(cls(), (Arg((70, 20)), Arg((20, 1)), Arg((1,))))
        yield Case(cls(trans_b=True), (Arg((1, 400)), Arg((10, 400), constant=True), Arg((10,))))
        yield Case(cls(), (Arg((24, 32)), Arg((32, 64)), None))
        yield Case(cls(), (Arg((9, 20)), Arg((20, 70), constant=True), Arg((70,))))
        yield Case(cls(trans_a=True), (Arg((7, 1)), Arg((7, 9)), Arg((1, 9))))
        yield Case(cls(), (Arg((4, 0)), Arg((0, 5)), Arg((4, 5))))
        behind = Expression.of("Add").then(Expression.of("Relu"), 0)
        behind = behind.then(Expression.of("Mul"), 0)
        for m, n in ((9, 37), (1, 37), (20, 1)):
            op = cls(epilogue=behind)
            extras = Arg((m, n)), Arg((n,))
            yield Case(op, (Arg((m, 12)), Arg((12, n), constant=True), None, *extras))
