"""Checks an op's gradient on a device against differences of its NumPy reference in float64."""

from __future__ import annotations

import numpy as np
from harness import arrays_of, device

from clnet.autodiff import gradients
from clnet.graph import Graph, GraphBuilder
from clnet.ops import Case
from clnet.ops.elementwise import elementwise
from clnet.ops.reduce import Reduce
from clnet.session.session import Session

DIRECTIONS = 3
STEP = 1e-6


def gradient_graph(case: Case, arrays: list[np.ndarray | None], weights: np.ndarray) -> Graph:
    """d sum(weights * first output) / d in<i>, as output grad<i> for every input that
    the case names, or every floating one."""
    build = GraphBuilder("gradient")
    values = [
        None if a is None else build.input(f"in{i}", a.shape, a.dtype.name)
        for i, a in enumerate(arrays)
    ]
    output = build.add(case.op, *values, name="node")
    if isinstance(output, tuple):
        output = output[0]
    weighted = build.add(elementwise("Mul"), output, build.constant(weights))
    loss = build.add(Reduce("Sum", tuple(range(weights.ndim)), keepdims=False), weighted)
    asked = range(len(values)) if case.differentiable is True else case.differentiable
    wrt = [v for i, v in enumerate(values) if i in asked and v is not None and v.spec.is_float]
    for value, grad in gradients(build, loss, wrt).items():
        build.output(grad, value.name.replace("in", "grad"))
    return build.graph


def check_gradient(case: Case, tolerance: float = 1e-3) -> None:
    """Fail where the gradient along a random direction is not the difference quotient."""
    rng = np.random.default_rng(7)
    arrays = arrays_of(case)
    shape = np.shape(case.op.reference(*arrays)[0])
    weights = rng.uniform(0.5, 1.5, shape).astype(np.float32)
    source = gradient_graph(case, arrays, weights)
    with Session(lambda _: source, device()) as session:
        found = session.run({i.name: arrays[int(i.name[2:])] for i in session.inputs})
    wide = [a.astype(np.float64) if a is not None and a.dtype == np.float32 else a for a in arrays]

    def loss(index: int, moved: np.ndarray) -> float:
        inputs = [moved if i == index else a for i, a in enumerate(wide)]
        return float((case.op.reference(*inputs)[0] * weights.astype(np.float64)).sum())

    for name, grad in found.items():
        index = int(name.removeprefix("grad"))
        x = wide[index]
        assert grad.shape == x.shape
        for _ in range(DIRECTIONS):
            direction = rng.standard_normal(x.shape)
            step = STEP * direction
            numeric = (loss(index, x + step) - loss(index, x - step)) / (2 * STEP)
            analytic = float((grad * direction).sum())
            scale = max(float(np.linalg.norm(grad)), abs(numeric), 1e-6)
            assert abs(numeric - analytic) <= tolerance * scale, (name, numeric, analytic)
