"""Each rewrite leaves fewer nodes and the same values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from evaluate import evaluate
from harness import assert_close

from clnet.graph import Graph, GraphBuilder, Value
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.dropout import Dropout
from clnet.ops.elementwise import elementwise
from clnet.ops.pad import Pad
from clnet.ops.reduce import Reduce
from clnet.passes.constant_folding import fold_constants
from clnet.passes.dead_code import remove_dead_code
from clnet.passes.drop_identities import drop_identities
from clnet.passes.fold_affine import fold_affine
from clnet.passes.fold_pad import fold_pads
from clnet.passes.fuse_elementwise import fuse_elementwise
from clnet.passes.fuse_epilogue import fuse_epilogues
from clnet.passes.fuse_layer_normalization import fuse_layer_normalization
from clnet.passes.pipeline import optimize
from clnet.passes.simplify_arithmetic import simplify_arithmetic

RNG = np.random.default_rng(7)
CONV = Conv(strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1))


def random(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 1.5, shape).astype(np.float32)


def rewritten(build: GraphBuilder, *rewrites: Callable[[Graph], None]) -> list[str]:
    """Apply rewrites, check that the graph computes the same, and list the remaining ops."""
    graph = build.graph
    feeds = {v.name: random(*v.spec.shape) for v in graph.inputs}
    before = evaluate(graph, feeds)
    for rewrite in rewrites:
        rewrite(graph)
    after = evaluate(graph, feeds)
    assert before.keys() == after.keys()
    for name, want in before.items():
        assert_close(after[name], want, 1e-5)
    return [node.op.label for node in graph.nodes]


def convolution(build: GraphBuilder, x: Value, channels: int, op: Conv = CONV) -> Value:
    weights = build.constant(random(channels, x.spec.shape[1] // op.groups, 3, 3))
    value: Value = build.add(op, x, weights)
    return value


def normalisation(build: GraphBuilder, x: Value) -> Value:
    channels = x.spec.shape[1]
    parameters = [build.constant(random(channels)) for _ in range(4)]
    value: Value = build.add(BatchNormalization(1e-5), x, *parameters)
    return value


def test_batch_norm_and_constants_move_into_the_weights() -> None:
    build = GraphBuilder()
    x = build.input("x", (2, 4, 5, 5))
    y = normalisation(build, convolution(build, x, 6))
    y = build.add(elementwise("Mul"), build.constant(random(6, 1, 1)), y)
    y = build.add(elementwise("Sub"), build.constant(random(1, 6, 1, 1)), y)
    build.output(build.add(elementwise("Div"), y, build.constant(np.float32(3))), "y")
    assert rewritten(build, fold_affine) == ["Conv"]


def test_batch_norm_moves_into_grouped_transposed_convolution() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 4, 5, 5))
    op = ConvTranspose((2, 2), (0, 0, 0, 0), (1, 1), 2, (0, 0))
    y = build.add(op, x, build.constant(random(4, 3, 3, 3)), build.constant(random(6)))
    build.output(normalisation(build, y), "y")
    assert rewritten(build, fold_affine) == ["ConvTranspose"]


def test_batch_norm_stays_where_the_convolution_has_another_reader() -> None:
    build = GraphBuilder()
    y = convolution(build, build.input("x", (1, 4, 5, 5)), 6)
    build.output(normalisation(build, y), "y")
    build.output(y, "also")
    assert rewritten(build, fold_affine) == ["Conv", "BatchNormalization"]


def test_dropout_disappears_unless_it_is_all_there_is() -> None:
    build = GraphBuilder()
    x = build.input("x", (2, 3))
    y = build.add(Dropout(0.5), build.add(elementwise("Relu"), x))
    build.output(build.add(Dropout(0.5), y), "y")
    assert rewritten(build, drop_identities) == ["Relu"]
    build = GraphBuilder()
    build.output(build.add(Dropout(0.5), build.input("x", (2, 3))), "y")
    assert rewritten(build, drop_identities) == ["Dropout"]


def test_zero_padding_moves_into_the_convolution() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 4, 5, 5))
    padded = build.add(Pad((0, 0, 1, 2, 0, 0, 0, 3), "constant", 0.0), x)
    build.output(convolution(build, padded, 2), "y")
    assert rewritten(build, fold_pads) == ["Conv"]


def test_padding_with_other_values_stays() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 4, 5, 5))
    padded = build.add(Pad((0, 0, 1, 1, 0, 0, 1, 1), "constant", 1.0), x)
    build.output(convolution(build, padded, 2), "y")
    assert rewritten(build, fold_pads) == ["Pad", "Conv"]


def test_hard_swish_spelled_out_becomes_the_convolutions_epilogue() -> None:
    build = GraphBuilder()
    y = convolution(build, build.input("x", (2, 4, 5, 5)), 6)
    shifted = build.add(elementwise("Add"), y, build.constant(np.float32(3)))
    clipped = build.add(elementwise("Clip", min=0.0, max=6.0), shifted)
    gate = build.add(elementwise("Div"), clipped, build.constant(np.float32(6)))
    build.output(build.add(elementwise("Mul"), gate, y), "y")
    assert rewritten(build, fuse_elementwise, fuse_epilogues) == ["Conv"]


def test_residual_addition_and_activation_join_the_later_convolution() -> None:
    build = GraphBuilder()
    x = build.input("x", (2, 4, 5, 5))
    left, right = convolution(build, x, 4), convolution(build, x, 4)
    total = build.add(elementwise("Add"), left, right)
    build.output(build.add(elementwise("Relu"), total), "y")
    assert rewritten(build, fuse_elementwise, fuse_epilogues) == ["Conv", "Conv"]


def test_elementwise_nodes_of_different_shapes_are_not_joined() -> None:
    build = GraphBuilder()
    small = build.add(elementwise("Exp"), build.input("a", (1, 5)))
    build.output(build.add(elementwise("Add"), small, build.input("b", (4, 5))), "y")
    assert rewritten(build, fuse_elementwise) == ["Exp", "Add"]


def test_a_value_that_is_an_output_is_kept() -> None:
    build = GraphBuilder()
    y = build.add(elementwise("Exp"), build.input("x", (4, 5)))
    build.output(y, "middle")
    build.output(build.add(elementwise("Neg"), y), "y")
    assert rewritten(build, fuse_elementwise) == ["Exp", "Neg"]


def test_constants_are_computed_and_dead_nodes_dropped() -> None:
    build = GraphBuilder()
    x = build.input("x", (4,))
    weight = build.constant(random(4))
    folded = build.add(elementwise("Exp"), x)
    build.graph.nodes[-1].inputs[0] = weight  # as a rewrite may leave it
    build.add(elementwise("Neg"), x)
    build.output(build.add(elementwise("Add"), x, folded), "y")
    assert rewritten(build, fold_constants, remove_dead_code) == ["Add"]


def test_the_whole_pipeline_leaves_one_node_of_a_residual_block() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 4, 6, 6))
    y = normalisation(build, convolution(build, x, 4))
    y = build.add(elementwise("Add"), y, x)
    build.output(build.add(elementwise("Relu"), y), "y")
    assert rewritten(build, optimize) == ["Conv"]


def test_arithmetic_with_one_number_is_simplified() -> None:
    build = GraphBuilder("simple")
    x = build.input("x", (2, 3, 5))
    doubled = build.add(elementwise("Mul"), build.constant(np.full(1, 2, np.float32)), x)
    value = doubled
    for exponent in (2, 0.5, -1, 3):
        power = build.constant(np.array(exponent, np.float32))
        value = build.add(elementwise("Pow"), value, power)
    build.output(value, "y")
    names = rewritten(build, simplify_arithmetic)
    assert names == ["Scale", "Mul", "Sqrt", "Reciprocal", "Pow"]


def test_a_number_that_gives_the_shape_is_kept() -> None:
    build = GraphBuilder("grows")
    x = build.input("x", (3,))
    build.output(build.add(elementwise("Mul"), x, build.constant(random(1, 1))), "y")
    assert rewritten(build, simplify_arithmetic) == ["Mul"]


def spelled_out_normalisation(build: GraphBuilder, x: Value, scaled: bool, shifted: bool) -> Value:
    mean = build.add(Reduce("Mean", (2,)), x)
    apart = build.add(elementwise("Sub"), x, mean)
    square = build.add(elementwise("Pow"), apart, build.constant(np.float32(2)))
    variance = build.add(Reduce("Mean", (2,)), square)
    raised = build.add(elementwise("Add"), variance, build.constant(np.float32(1e-5)))
    y = build.add(elementwise("Div"), apart, build.add(elementwise("Sqrt"), raised))
    for function, wanted in (("Mul", scaled), ("Add", shifted)):
        if wanted:
            y = build.add(elementwise(function), y, build.constant(random(9)))
    return y


@pytest.mark.parametrize(("scaled", "shifted"), [(True, True), (True, False), (False, True)])
def test_a_layer_normalisation_that_is_spelled_out_becomes_one_node(
    scaled: bool, shifted: bool
) -> None:
    build = GraphBuilder()
    y = spelled_out_normalisation(build, build.input("x", (2, 5, 9)), scaled, shifted)
    build.output(build.add(elementwise("Relu"), y), "y")
    rewrites = (simplify_arithmetic, fuse_layer_normalization)
    assert rewritten(build, *rewrites) == ["LayerNormalization", "Relu"]


def test_a_normalisation_stays_whose_parts_are_read_elsewhere() -> None:
    build = GraphBuilder()
    x = build.input("x", (2, 5, 9))
    build.output(spelled_out_normalisation(build, x, True, True), "y")
    build.output(build.graph.nodes[1].output, "apart")
    labels = rewritten(build, simplify_arithmetic, fuse_layer_normalization)
    assert "LayerNormalization" not in labels
