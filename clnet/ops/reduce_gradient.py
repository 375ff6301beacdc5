"""Gradients of the reductions, in elementwise functions of x, y and grad."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.cast import Cast
from clnet.ops.cum_sum import CumProd
from clnet.ops.elementwise import calculate
from clnet.ops.expand import Expand
from clnet.ops.reshape import Reshape
from clnet.ops.transpose import Transpose


def reduce_vjp(build: GraphBuilder, op: Any, node: Node, grad: Value | None) -> Value | None:
    """The gradient of the input of ``node``, which computes the Reduce ``op``."""
    (x,) = node.inputs
    assert x is not None and grad is not None
    apply = partial(calculate, build)
    kept = tuple(1 if d in op.axes else n for d, n in enumerate(x.spec.shape))
    g, y = build.add(Reshape(kept), grad), build.add(Reshape(kept), node.output)
    count = math.prod(x.spec.shape[a] for a in op.axes)
    if op.function in ("Max", "Min"):  # those that equal the extreme share its gradient
        equal = build.add(Cast(x.spec.dtype), apply("Equal", x, y))
        share = apply("Div", g, build.add(type(op)("Sum", op.axes), equal))
        return apply("Mul", equal, share)
    if op.function in ("Sum", "Mean"):
        share = g if op.function == "Sum" else apply("Scale", g, factor=1 / max(1, count))
        return build.add(Expand(x.spec.shape), share)
    if op.function == "LogSum":
        return build.add(Expand(x.spec.shape), apply("Div", g, apply("Exp", y)))
    if op.function == "L1":
        return apply("AbsGradient", x, g)
    if op.function == "L2":
        zero = build.constant(np.zeros((), x.spec.dtype))
        slope = apply("Where", apply("Equal", y, zero), zero, apply("Div", g, y))
        return apply("Mul", x, slope)
    if op.function == "SumSquare":
        return apply("Mul", apply("Scale", x, factor=2.0), g)
    if op.function == "LogSumExp":
        return apply("Mul", apply("Exp", apply("Sub", x, y)), g)
    assert op.function == "Prod"
    return apply("Mul", _products_of_others(build, x, op.axes), g)


def _products_of_others(build: GraphBuilder, x: Value, axes: tuple[int, ...]) -> Value:
    """For each element the product of all others along ``axes``: of those before and those behind,
    which no element of 0 disturbs."""
    order = tuple(sorted(range(x.spec.rank), key=lambda d: d in axes))
    turned = build.add(Transpose(order), x)
    count = math.prod(x.spec.shape[a] for a in axes)
    rows = build.add(Reshape((x.spec.size // max(1, count), count)), turned)
    before, behind = (build.add(CumProd(1, True, reverse), rows) for reverse in (False, True))
    others = build.add(Reshape(turned.spec.shape), calculate(build, "Mul", before, behind))
    inverse = tuple(order.index(d) for d in range(x.spec.rank))
    result: Value = build.add(Transpose(inverse), others)
    return result
