"""The gradient of ScatterElements, in further scattering and gathering."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.cast import Cast
from clnet.ops.checks import normal_axis
from clnet.ops.elementwise import calculate
from clnet.ops.expand import Expand
from clnet.ops.gather_elements import GatherElements


def scatter_vjp(
    build: GraphBuilder, op: Any, node: Node, grad: Value | None
) -> tuple[Value | None, ...]:
    """Gradients of the inputs of ``node``, which computes the ScatterElements ``op``."""
    x, given, updates = node.inputs
    assert x is not None and given is not None and updates is not None and grad is not None
    apply = partial(calculate, build)
    axis, reduction = normal_axis(op.axis, x.spec.rank), type(op)
    indices = build.add(Expand(updates.spec.shape), given)
    zeros = build.constant(np.zeros((), updates.spec.dtype))

    def gathered(value: Value) -> Any:
        return build.add(GatherElements(axis), value, indices)

    def scattered(into: Value, what: Value, how: str) -> Any:
        return build.add(reduction(axis, how), into, indices, what)

    if op.reduction == "none":  # an update counts where it was the last one
        along = np.arange(updates.spec.shape[axis], dtype=np.int32)
        rest = (1,) * (x.spec.rank - axis - 1)
        own = build.constant(np.broadcast_to(along.reshape(-1, *rest), updates.spec.shape).copy())
        nobody = build.constant(np.full(x.spec.shape, -1, np.int32))
        kept = apply("Equal", gathered(scattered(nobody, own, "none")), own)
        nothing = build.constant(np.zeros(updates.spec.shape, updates.spec.dtype))
        dx = scattered(grad, nothing, "none")
        return dx, None, apply("Where", kept, gathered(grad), zeros)
    extent = build.constant(np.asarray(x.spec.shape[axis], given.spec.dtype))
    inside = apply("Less", indices, extent)
    inside = apply("And", inside, apply("GreaterOrEqual", indices, apply("Neg", extent)))
    if op.reduction == "add":
        return grad, None, apply("Where", inside, gathered(grad), zeros)
    if op.reduction == "mul":
        # The product of the others at its place: all but a zero's own are there without division.
        zero, one = apply("Equal", updates, zeros), build.constant(np.ones((), x.spec.dtype))
        divisor = apply("Where", zero, one, updates)
        slope = apply("Div", gathered(apply("Mul", grad, node.output)), divisor)
        others = gathered(apply("Mul", grad, scattered(x, divisor, "mul")))
        nothing = build.constant(np.zeros(x.spec.shape, x.spec.dtype))
        count = gathered(scattered(nothing, build.add(Cast(x.spec.dtype), zero), "add"))
        alone = apply("And", zero, apply("Equal", count, one))
        slope = apply("Where", alone, others, slope)
        return scattered(grad, updates, "mul"), None, apply("Where", inside, slope, zeros)
    # Those that equal the extreme share its gradient.
    stayed = apply("Equal", x, node.output)
    became = apply("And", inside, apply("Equal", updates, gathered(node.output)))
    number = Cast(x.spec.dtype)
    count = scattered(build.add(number, stayed), build.add(number, became), "add")
    share = apply("Div", grad, count)
    dx = apply("Where", stayed, share, zeros)
    return dx, None, apply("Where", became, gathered(share), zeros)
