"""Update works in the state's own memory, from run to run."""

from __future__ import annotations

import numpy as np
import pytest
from harness import device

from clnet.errors import ShapeError
from clnet.graph import GraphBuilder
from clnet.ops.formula import trace
from clnet.ops.gemm import Gemm
from clnet.ops.update import ADD, Update
from clnet.runtime.states import States
from clnet.session.compile import compile_graph


@pytest.mark.parametrize("shape", [(37, 11), (5,), ()])
def test_states_are_updated_in_place(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    weight, gradient = rng.standard_normal((2, *shape)).astype(np.float32)
    build = GraphBuilder()
    state = build.state(weight, "weight")
    descent = Update(*trace(lambda w, g, rate: (w - rate * g,), 3))
    build.add(descent, state, build.constant(gradient), build.input("rate", ()))
    states = States(device(), {"weight": weight})
    compiled = compile_graph(build.graph, device(), states=states)
    executable = compiled.executable
    expected = weight
    for rate in (0.5, 0.25):
        with executable.map(compiled.inputs["rate"], write=True) as view:
            view[...] = rate
        executable.run()
        expected = expected - np.float32(rate) * gradient
    np.testing.assert_allclose(states.read("weight"), expected, rtol=1e-6)
    assert compiled.arena.nbytes == 0
    executable.release()
    states.release()


def test_executables_share_states_in_order() -> None:
    states = States(device(), {"count": np.zeros((), np.int32)})
    plans = []
    for step in (1, 10):
        build = GraphBuilder()
        state = build.state(np.zeros((), np.int32), "count")
        build.add(Update(ADD), state, build.constant(np.int32(step)))
        plans.append(compile_graph(build.graph, device(), states=states).executable)
    for plan in (*plans, plans[0]):
        plan.run()
    assert states.read("count") == 12
    for plan in plans:
        plan.release()
    states.release()


def test_the_new_value_has_the_shape_of_the_state() -> None:
    build = GraphBuilder()
    state = build.state(np.zeros(3, np.float32), "s")
    with pytest.raises(ShapeError, match="the state is"):
        build.add(Update(ADD), state, build.input("x", (2, 3)))


def test_a_product_updates_the_weight_that_it_is_the_gradient_of() -> None:
    rng = np.random.default_rng(0)
    weight, a, b = (rng.standard_normal(s).astype(np.float32) for s in ((7, 19), (3, 7), (3, 19)))
    build = GraphBuilder()
    state = build.state(weight, "weight")
    left, right = build.input("a", a.shape), build.input("b", b.shape)
    gradient = build.add(Gemm(trans_a=True), left, right)
    descent = Update(*trace(lambda w, g, rate: (w - rate * g,), 3))
    build.add(descent, state, gradient, build.constant(np.float32(0.5)))
    states = States(device(), {"weight": weight})
    compiled = compile_graph(build.graph, device(), states=states)
    executable = compiled.executable
    for name, array in (("a", a), ("b", b)):
        with executable.map(compiled.inputs[name], write=True) as view:
            view[...] = array
    for _ in range(2):
        executable.run()
    np.testing.assert_allclose(states.read("weight"), weight - a.T @ b, rtol=1e-4, atol=1e-5)
    assert {layer.kind for layer in compiled.layers} == {"Update behind Gemm"}
    executable.release()
    states.release()
