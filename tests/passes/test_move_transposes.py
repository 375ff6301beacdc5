"""Transpositions disappear between ops that do not care, and values stay the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from passes.test_passes import random, rewritten

from clnet.graph import GraphBuilder, Value
from clnet.ops.arg_reduce import ArgReduce
from clnet.ops.base import Op
from clnet.ops.cast import Cast
from clnet.ops.concat import Concat
from clnet.ops.conv import Conv
from clnet.ops.cum_sum import CumSum
from clnet.ops.elementwise import elementwise
from clnet.ops.lrn import LRN
from clnet.ops.pad import Pad
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.resize import Resize
from clnet.ops.slice import Slice
from clnet.ops.softmax import LogSoftmax, Softmax
from clnet.ops.split import Split
from clnet.ops.tile import Tile
from clnet.ops.transpose import Transpose
from clnet.ops.update import ADD, Update
from clnet.passes.fold_pad import fold_pads
from clnet.passes.move_transposes import RULES, move_transposes
from clnet.passes.pipeline import optimize

TO_NHWC, TO_NCHW = Transpose((0, 2, 3, 1)), Transpose((0, 3, 1, 2))


def start(*shape: int) -> tuple[GraphBuilder, Value]:
    """A graph with an input of channels first, seen with channels last."""
    build = GraphBuilder()
    return build, build.add(TO_NHWC, build.input("x", shape or (2, 3, 4, 5)))


def middle(value: Value, build: GraphBuilder) -> Value:
    """An op that wants channels first, channels last around it."""
    weights = build.constant(random(value.spec.shape[3], value.spec.shape[3], 3, 3))
    convolution = Conv((1, 1), (1, 1, 1, 1), (1, 1))
    result: Value = build.add(TO_NHWC, build.add(convolution, build.add(TO_NCHW, value), weights))
    return result


#: An op over x[N, H, W, C] = [2, 4, 5, 3], and what it becomes.
OPS: list[Op] = [
    elementwise("Exp"), Cast("float16"), Pad((0, 1, 2, 0, 0, 0, 3, 1)), Softmax(-1), LogSoftmax(1),
    Pad((0, 1, 2, 0, 0, 0, 3, 1), "reflect"), Slice((1, 0), (4, 5), (1, 2), (2, 1)),
    Slice((0, 1), (2, 3)), Reduce("Mean", (1, 2)), Reduce("Sum", (3,)), Reduce("Max", ()),
    ArgReduce("Max", -1), CumSum(3), Tile((1, 2, 1, 3)),
    Resize((2, 8, 7, 3), (), "linear"), Resize((2, 8, 10, 3), (1.0, 2.0, 2.0, 1.0)),
    Resize((2, 4, 5, 3), (), "linear", "tf_crop_and_resize",
           roi=(0.0, 0.2, 0.0, 0.0, 1.0, 0.7, 1.0, 1.0)),
]  # fmt: skip


@pytest.mark.parametrize("op", OPS, ids=str)
def test_an_op_in_between_takes_the_order_of_its_source(op: Op) -> None:
    build, x = start()
    build.output(build.add(TO_NCHW, build.add(op, x)), "y")
    assert rewritten(build, move_transposes) == [op.label]


@pytest.mark.parametrize(
    "op", [Reduce("Mean", (1,), False), Reduce("Max", (3, 0), False), ArgReduce("Min", 2, False)],
    ids=str,
)  # fmt: skip
def test_dropped_axes_leave_a_smaller_permutation(op: Op) -> None:
    build, x = start()
    build.output(build.add(op, x), "y")
    assert rewritten(build, move_transposes)[0] == op.label
    back, x = start()
    y = back.add(op, x)
    perm = {3: (2, 0, 1), 2: (0, 1)}[y.spec.rank]
    back.output(back.add(Transpose(perm), y), "y")
    assert rewritten(back, move_transposes)[0] == op.label


def test_every_rule_is_tried() -> None:
    assert {type(op) for op in OPS} | {Concat, Split} == set(RULES)


def test_nothing_is_left_between_convolutions() -> None:
    build, x = start()
    left = build.add(elementwise("Relu"), middle(x, build))
    right = middle(build.add(elementwise("Add"), left, build.constant(random(3))), build)
    scaled = build.add(elementwise("Mul"), right, build.constant(random(1, 1, 3)))
    joined = build.add(Concat(3), left, scaled)
    first, second = build.add(Split(3, (2, 4)), joined)
    build.output(build.add(TO_NCHW, middle(first, build)), "y")
    build.output(build.add(TO_NCHW, build.add(elementwise("Sqrt"), second)), "z")
    names = rewritten(build, move_transposes)
    assert "Transpose" not in names and names.count("Conv") == 3


def test_smaller_operands_follow_the_larger() -> None:
    build, x = start()
    gate = build.add(Reshape((1, 1, 1, 3)), build.input("g", (3,)))
    flat = build.input("f", (5, 1))
    gated = build.add(elementwise("Mul"), middle(x, build), gate)
    build.output(build.add(TO_NCHW, build.add(elementwise("Add"), gated, flat)), "y")
    assert "Transpose" not in rewritten(build, move_transposes)


def test_the_smaller_of_two_operands_is_transposed() -> None:
    build, x = start()
    other = build.input("o", (1, 4, 5, 3))
    build.output(build.add(TO_NCHW, build.add(elementwise("Add"), x, other)), "y")
    assert rewritten(build, move_transposes) == ["Transpose", "Add"]


def test_operands_of_different_orders_meet_in_one() -> None:
    build, x = start(2, 4, 4, 4)
    y = build.add(Transpose((0, 3, 2, 1)), build.input("o", (2, 4, 4, 4)))
    total = build.add(elementwise("Sub"), x, y)
    build.output(build.add(Concat(1), total, x), "y")
    assert rewritten(build, move_transposes).count("Transpose") <= 2


def test_a_value_is_transposed_once_for_all_its_readers() -> None:
    build, x = start()
    seen = build.add(elementwise("Exp"), x)
    for name in "ab":
        build.output(build.add(Reshape((2, 60)), seen), name)
    assert rewritten(build, move_transposes) == ["Exp", "Transpose", "Reshape", "Reshape"]


def test_twice_the_same_transposition_is_one() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 6, 7, 3))
    for name in "ab":
        build.output(build.add(LRN(3), build.add(TO_NCHW, x)), name)
    assert rewritten(build, move_transposes) == ["Transpose", "LRN", "LRN"]


def test_chains_become_one_transposition_or_none() -> None:
    build, x = start()
    turned = build.add(Transpose((3, 0, 1, 2)), x)
    build.output(build.add(Transpose((0, 2, 1, 3)), turned), "one")
    build.output(build.add(Transpose((1, 0, 2, 3)), turned), "none")
    assert rewritten(build, move_transposes) == ["Transpose"]


def test_dimensions_of_one_element_move_for_free() -> None:
    build, x = start(2, 3, 1, 1)
    build.output(build.add(Reshape((2, 3)), x), "y")
    assert rewritten(build, move_transposes) == ["Reshape", "Reshape"]


def test_padding_before_the_first_convolution_reaches_it() -> None:
    build = GraphBuilder()
    padded = build.add(Pad((0, 1, 2, 0, 0, 0, 1, 0)), build.input("x", (1, 6, 7, 3)))
    build.output(middle(padded, build), "y")
    assert rewritten(build, move_transposes, fold_pads) == ["Transpose", "Conv", "Transpose"]


def test_what_shrinks_before_the_first_convolution_stays_before_its_transposition() -> None:
    build = GraphBuilder()
    part = build.add(Slice((0,), (2,), (1,)), build.input("x", (1, 6, 7, 3)))
    build.output(middle(part, build), "y")
    assert rewritten(build, move_transposes)[:2] == ["Slice", "Transpose"]


def test_constants_are_permuted_now() -> None:
    build, x = start()
    y = build.add(elementwise("Div"), x, build.constant(random(4, 5, 3)))
    build.output(build.add(TO_NCHW, y), "y")
    assert rewritten(build, move_transposes) == ["Div"]


def test_outputs_and_inputs_keep_their_order() -> None:
    build, x = start()
    build.output(x, "seen")
    build.output(build.add(elementwise("Neg"), x), "y")
    assert rewritten(build, move_transposes) == ["Neg", "Transpose", "Transpose"]


def test_states_are_read_where_they_were() -> None:
    """A later update must not reach what was computed before it."""
    build = GraphBuilder()
    weight = build.state(random(3, 4), "w")
    turned = build.add(Transpose((1, 0)), weight)
    build.add(Update(ADD), weight, build.input("new", (3, 4)))
    build.output(build.add(elementwise("Exp"), turned), "y")
    names = rewritten(build, move_transposes)
    assert names == ["Transpose", "Update Add", "Exp"]


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_compute_the_same(seed: int) -> None:
    """Any chain of ops and transpositions over a few values."""
    rng = np.random.default_rng(seed)
    build = GraphBuilder()
    values = [build.input(n, (2, 3, 4, 5)) for n in "xy"]
    steps: list[Callable[[Value], Value]] = [
        lambda v: build.add(Transpose(tuple(map(int, rng.permutation(4)))), v),
        lambda v: build.add(elementwise("Sqrt"), build.add(elementwise("Abs"), v)),
        lambda v: build.add(elementwise("Add"), v, build.constant(random(v.spec.shape[3]))),
        lambda v: build.add(Reduce("Mean", (int(rng.integers(4)),)), v),
        lambda v: build.add(Concat(2), v, v),
        lambda v: build.add(Softmax(int(rng.integers(4))), v),
        lambda v: build.add(elementwise("Mul"), v, partner(v)),
        lambda v: build.add(Slice((0,), (3,), (int(rng.integers(4)),)), v),
    ]

    def partner(value: Value) -> Value:
        fitting = [v for v in values if v.spec == value.spec]
        return fitting[int(rng.integers(len(fitting)))] if fitting else value

    for _ in range(14):
        value = values[int(rng.integers(len(values)))]
        made = steps[int(rng.integers(len(steps)))](value)
        if made.spec.size < 4000:
            values.append(made)
    for i, value in enumerate(values[-4:]):
        build.output(value, f"out{i}")
    rewritten(build, optimize)
