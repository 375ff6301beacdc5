"""Recomputation: the same gradients from less memory."""

from __future__ import annotations

import numpy as np
from evaluate import evaluate
from harness import device

from clnet.autodiff import gradients, recompute
from clnet.graph import Graph, GraphBuilder
from clnet.ops.elementwise import elementwise
from clnet.ops.gemm import Gemm
from clnet.ops.reduce import Reduce
from clnet.session.compile import plan_graph

DEPTH, ROWS, WIDTH = 16, 256, 16


def deep(again: bool) -> Graph:
    """A chain of layers and the gradient of its first weight."""
    rng = np.random.default_rng(0)
    build = GraphBuilder()
    value = build.input("x", (ROWS, WIDTH))
    first = build.input("w", (WIDTH, WIDTH))
    weight = first
    for _ in range(DEPTH):
        value = build.add(elementwise("Sin"), build.add(Gemm(), value, weight, None))
        weight = build.constant(rng.standard_normal((WIDTH, WIDTH)).astype(np.float32))
    loss = build.add(Reduce("Sum", (0, 1), keepdims=False), value)
    forward = len(build.graph.nodes)
    build.output(gradients(build, loss, [first])[first], "dw")
    build.output(loss, "loss")
    if again:
        recompute(build.graph, forward)
    return build.graph


def test_gradients_stay_and_memory_shrinks() -> None:
    rng = np.random.default_rng(1)
    feeds = {n: rng.standard_normal(s).astype(np.float32)
             for n, s in (("x", (ROWS, WIDTH)), ("w", (WIDTH, WIDTH)))}  # fmt: skip
    kept, anew = (evaluate(deep(again), feeds) for again in (False, True))
    for name, array in kept.items():
        np.testing.assert_array_equal(array, anew[name])
    launches, plans = zip(*(plan_graph(deep(a), device()) for a in (False, True)), strict=True)
    assert plans[1].nbytes < 0.6 * plans[0].nbytes
    assert launches[0] < launches[1] <= launches[0] + 2 * DEPTH
