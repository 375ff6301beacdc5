"""The reverse walk: accumulation, broadcasting, what needs no gradient, what has none."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate import evaluate

from clnet.autodiff import gradients
from clnet.errors import ClnetError, UnsupportedError
from clnet.graph import GraphBuilder, Value
from clnet.ops.cast import Cast
from clnet.ops.elementwise import elementwise
from clnet.ops.functions import FUNCTIONS
from clnet.ops.reduce import Reduce
from clnet.ops.scatter_elements import ScatterElements

RNG = np.random.default_rng(3)


def total(build: GraphBuilder, value: Value) -> Value:
    return build.add(Reduce("Sum", tuple(range(value.spec.rank)), keepdims=False), value)


def slopes(build: GraphBuilder, loss: Value, feeds: dict[str, np.ndarray]) -> dict:
    """Gradients of all inputs, by the NumPy references."""
    for value, grad in gradients(build, loss, build.graph.inputs).items():
        build.output(grad, f"d {value.name}")
    found = evaluate(build.graph, feeds)
    return {name: found[f"d {name}"] for name in feeds}


def test_a_value_read_twice_gets_the_sum() -> None:
    build = GraphBuilder()
    x = build.input("x", (5,))
    square = build.add(elementwise("Mul"), x, x)
    loss = total(build, build.add(elementwise("Add"), square, x))
    values = RNG.standard_normal(5).astype(np.float32)
    np.testing.assert_allclose(slopes(build, loss, {"x": values})["x"], 2 * values + 1, rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 1), (1, 1, 4), (2, 3, 4)])
def test_broadcast_operands_get_the_sum_over_what_was_repeated(shape: tuple[int, ...]) -> None:
    build = GraphBuilder()
    x, b = build.input("x", (2, 3, 4), "float64"), build.input("b", shape, "float64")
    loss = total(build, build.add(elementwise("Mul"), x, b))
    feeds = {"x": RNG.standard_normal((2, 3, 4)), "b": RNG.standard_normal(shape)}
    found = slopes(build, loss, feeds)
    np.testing.assert_allclose(found["x"], np.broadcast_to(feeds["b"], (2, 3, 4)))
    padded = (1,) * (3 - len(shape)) + shape
    axes = tuple(i for i, d in enumerate(padded) if d == 1)
    expected = feeds["x"].sum(axes, keepdims=True).reshape(shape)
    assert found["b"].shape == shape
    np.testing.assert_allclose(found["b"], expected)


def test_factors_of_zero_get_the_product_of_the_others() -> None:
    build = GraphBuilder()
    x, factors = build.input("x", (4, 1), "float64"), build.input("factors", (5, 1), "float64")
    places = build.constant(np.array([[0], [0], [1], [1], [-2]], np.int32))
    product = build.add(ScatterElements(0, "mul"), x, places, factors)
    loss = total(build, product)
    start, given = [[2.0], [3], [5], [7]], [[0.0], [4], [0], [0], [6]]
    feeds = {"x": np.array(start), "factors": np.array(given)}
    found = slopes(build, loss, feeds)
    np.testing.assert_array_equal(found["x"].ravel(), [0, 0, 6, 1])
    np.testing.assert_array_equal(found["factors"].ravel(), [8, 0, 0, 0, 5])


def test_only_what_leads_to_a_wanted_value_is_differentiated() -> None:
    build = GraphBuilder()
    x, y = build.input("x", (3,)), build.input("y", (3,))
    rounded = build.add(elementwise("Floor"), y)  # has no gradient, and needs none
    loss = total(build, build.add(elementwise("Mul"), x, rounded))
    assert list(gradients(build, loss, [x])) == [x]


def test_an_op_without_gradient_is_named() -> None:
    build = GraphBuilder()
    x = build.input("x", (3,))
    loss = total(build, build.add(elementwise("Floor"), x, name="steps"))
    with pytest.raises(UnsupportedError, match="node steps: Floor has no gradient"):
        gradients(build, loss, [x])


def test_a_value_without_influence_is_named() -> None:
    build = GraphBuilder()
    x, y = build.input("x", (3,)), build.input("y", (3,))
    with pytest.raises(ClnetError, match="does not depend on y"):
        gradients(build, total(build, x), [y])


def test_a_loss_has_one_element() -> None:
    build = GraphBuilder()
    x = build.input("x", (3,))
    with pytest.raises(ClnetError, match="one element"):
        gradients(build, x, [x])


def test_a_gradient_goes_through_casts_between_floats_alone() -> None:
    build = GraphBuilder()
    x = build.input("x", (3,))
    wide = build.add(Cast("float64"), x)
    loss = total(build, build.add(elementwise("Mul"), wide, wide))
    values = np.array([1.0, -2.0, 3.0], np.float32)
    found = slopes(build, loss, {"x": values})["x"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 2 * values)
    build = GraphBuilder()
    x = build.input("x", (3,))
    whole = build.add(Cast("float32"), build.add(Cast("int32"), x))
    with pytest.raises(ClnetError, match="does not depend on x"):
        gradients(build, total(build, whole), [x])


def test_where_hands_each_gradient_to_what_was_chosen() -> None:
    build = GraphBuilder()
    c = build.constant(np.array([True, False, True]))
    x, y = build.input("x", (3,)), build.input("y", (3,))
    chosen = build.add(elementwise("Where"), c, x, y)
    loss = total(build, build.add(elementwise("Scale", factor=2.0), chosen))
    found = slopes(build, loss, {"x": np.ones(3, np.float32), "y": np.ones(3, np.float32)})
    np.testing.assert_array_equal(found["x"], [2, 0, 2])
    np.testing.assert_array_equal(found["y"], [0, 2, 0])


@pytest.mark.parametrize("name", [n for n, row in FUNCTIONS.items() if row.gradient])
def test_gradients_of_the_table_equal_differences(name: str) -> None:
    row = FUNCTIONS[name]
    low, high = row.domain
    if name == "Where":
        pytest.skip("its condition has no gradient; it has a test of its own")
    feeds = {f"x{i}": RNG.uniform(max(low, 0.1) if low > -1 else low, high, 40)
             for i in range(row.arity)}  # fmt: skip
    build = GraphBuilder()
    arguments = [build.input(n, a.shape, "float64") for n, a in feeds.items()]
    output = build.add(elementwise(name), *arguments)
    found = slopes(build, total(build, output), feeds)
    step = 1e-6
    for n, array in feeds.items():
        above = elementwise(name).reference(*(feeds | {n: array + step}).values())[0]
        below = elementwise(name).reference(*(feeds | {n: array - step}).values())[0]
        numeric = (above - below) / (2 * step)
        np.testing.assert_allclose(found[n], numeric, rtol=1e-5, atol=1e-6)
