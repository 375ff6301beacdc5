"""Gradients of matrix products: matrix products again."""

from __future__ import annotations

import numpy as np

from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.elementwise import elementwise
from clnet.ops.reshape import Reshape
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
    """Gradients of a and b (before they were broadcast)."""
    from clnet.ops.gemm.matmul import MatMul  # which takes its gradient from here

    a, b = node.inputs
    assert a is not None and b is not None and grad is not None
    # A vector is a row in front and a column behind.
    rows = a if a.spec.rank > 1 else build.add(Reshape((1, *a.spec.shape)), a)
    columns = b if b.spec.rank > 1 else build.add(Reshape((*b.spec.shape, 1)), b)
    batch = np.broadcast_shapes(rows.spec.shape[:-2], columns.spec.shape[:-2])
    product = (*batch, rows.spec.shape[-2], columns.spec.shape[-1])
    dy = grad if grad.spec.shape == product else build.add(Reshape(product), grad)
    da = build.add(MatMul(), dy, _transposed(build, columns))
    db = build.add(MatMul(), _transposed(build, rows), dy)
    return _without(build, da, a, -2), _without(build, db, b, -1)


def _without(build: GraphBuilder, gradient: Value, operand: Value, axis: int) -> Value:
    """The gradient without the dimension that a vector was given."""
    if operand.spec.rank > 1:
        return gradient
    shape = list(gradient.spec.shape)
    del shape[axis]
    result: Value = build.add(Reshape(tuple(shape)), gradient)
    return result


def _transposed(build: GraphBuilder, value: Value) -> Value:
    axes = range(value.spec.rank)
    transposed: Value = build.add(Transpose((*axes[:-2], axes[-1], axes[-2])), value)
    return transposed
