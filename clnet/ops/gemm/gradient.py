"""Gradients of matrix products: matrix products again."""

from __future__ import annotations

import numpy as np

from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.elementwise import elementwise
from clnet.ops.transpose import Transpose


def gemm_vjp(build: GraphBuilder, node: Node, grad: Value | None) -> tuple[Value | None, ...]:
    """Gradients of a, b and, where there is one, c (before it was broadcast)."""
    from clnet.ops.gemm.gemm import Gemm  # which takes its gradient from here

    op = node.op
    a, b, *c = node.inputs
    # Of y = a b: da = dy b', db = a' dy; and the transposes of both where a or b is transposed.
    if op.trans_a:
        da = build.add(Gemm(op.alpha, trans_a=op.trans_b, trans_b=True), b, grad)
    else:
        da = build.add(Gemm(op.alpha, trans_b=not op.trans_b), grad, b)
    if op.trans_b:
        db = build.add(Gemm(op.alpha, trans_a=True, trans_b=op.trans_a), grad, a)
    else:
        db = build.add(Gemm(op.alpha, trans_a=not op.trans_a), a, grad)
    if not c or c[0] is None:
        return da, db
    dc = grad
    if op.beta != 1:
        beta = build.constant(np.asarray(op.beta, c[0].spec.dtype))
        dc = build.add(elementwise("Mul"), grad, beta)
    return da, db, dc


def matmul_vjp(build: GraphBuilder, node: Node, grad: Value | None) -> tuple[Value | None, ...]:
    """Gradients of a and b, both of two dimensions or more (before they were broadcast)."""
    from clnet.ops.gemm.matmul import MatMul  # which takes its gradient from here

    a, b = node.inputs
    assert a is not None and b is not None
    if min(a.spec.rank, b.spec.rank) < 2:
        raise NotImplementedError("the gradient of a product with a vector")
    da = build.add(MatMul(), grad, _transposed(build, b))
    db = build.add(MatMul(), _transposed(build, a), grad)
    return da, db


def _transposed(build: GraphBuilder, value: Value) -> Value:
    axes = range(value.spec.rank)
    transposed: Value = build.add(Transpose((*axes[:-2], axes[-1], axes[-2])), value)
    return transposed
