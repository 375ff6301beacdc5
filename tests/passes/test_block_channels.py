"""Graphs compute the same on blocked channels, and stay blocked as far as that goes."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate import evaluate
from harness import assert_close

from clnet.graph import GraphBuilder, Value
from clnet.ops.concat import Concat
from clnet.ops.conv import Conv
from clnet.ops.elementwise import elementwise
from clnet.ops.expression import Expression
from clnet.ops.gemm import Gemm
from clnet.ops.pad import Pad
from clnet.ops.pooling import AveragePool, GlobalAveragePool, MaxPool
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.resize import Resize
from clnet.ops.softmax import Softmax
from clnet.ops.split import Split
from clnet.passes.absorb_unblock import absorb_unblocks
from clnet.passes.block_channels import block_channels
from clnet.passes.fuse_expansion import LARGE, fuse_expansions
from clnet.passes.fuse_max_pool import fuse_max_pools
from clnet.passes.fuse_separable import fuse_separable

RNG = np.random.default_rng(11)


def random(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def conv(
    build: GraphBuilder, x: Value, channels: int, kernel: int = 3, groups: int = 1, **fields: object
) -> Value:
    op = Conv((1, 1), (kernel // 2,) * 4, (1, 1), groups, **fields)  # type: ignore[arg-type]
    weights = build.constant(random(channels, x.spec.shape[1] // groups, kernel, kernel))
    result: Value = build.add(op, x, weights, build.constant(random(channels)))
    return result


def blocked_ops(build: GraphBuilder, block: int = 8) -> list[str]:
    """Block channels, check that the graph computes the same, and list its ops by class."""
    graph = build.graph
    feeds = {v.name: random(*v.spec.shape) for v in graph.inputs}
    before = evaluate(graph, feeds)
    block_channels(graph, block)
    fuse_separable(graph)
    fuse_expansions(graph)
    fuse_max_pools(graph)
    absorb_unblocks(graph)
    after = evaluate(graph, feeds)
    assert list(before) == list(after)
    for name, want in before.items():
        assert after[name].shape == want.shape
        assert_close(after[name], want, 1e-5)
    return [type(node.op).__name__ for node in graph.nodes]


def test_a_small_input_goes_into_the_first_convolution_as_it_is() -> None:
    build = GraphBuilder()
    build.output(conv(build, build.input("x", (1, 3, 9, 9)), 16), "y")
    assert blocked_ops(build) == ["BlockedConv", "Unblock"]


@pytest.mark.parametrize("channels", [16, 13])
def test_what_lies_between_convolutions_follows(channels: int) -> None:
    build = GraphBuilder()
    first = conv(build, build.input("x", (2, 8, 8, 6)), channels)
    x = build.add(MaxPool((2, 2), (2, 2), (1, 1, 0, 0), (1, 1)), first)
    x = build.add(elementwise("Add"), x, build.constant(random(channels, 1, 1)))
    x = build.add(elementwise("Mul"), x, build.constant(np.float32(2)))
    x = build.add(Resize((2, channels, 8, 6), (1.0, 1.0, 2.0, 2.0)), x)
    x = build.add(Pad((0, 0, 1, 0, 0, 0, 0, 2)), x)
    x = build.add(AveragePool((3, 3), (1, 1), (1, 0, 1, 0), (1, 1)), x)
    x = conv(build, x, 8, 1)
    gate = build.add(GlobalAveragePool(), x)
    gate = conv(build, gate, 8, 1)
    x = build.add(elementwise("Mul"), x, gate)
    build.output(build.add(Reduce("Max", (2, 3), True), x), "y")
    assert blocked_ops(build) == [
        "Block", "BlockedConv", "MaxPool", "Elementwise", "Elementwise", "Resize", "Pad",
        "AveragePool", "BlockedConv", "Reduce", "BlockedConv", "Elementwise", "Reduce", "Reshape",
    ]  # fmt: skip


def test_whole_blocks_are_joined_and_split_as_they_are() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 3, 6, 6))
    joined = build.add(Concat(1), conv(build, x, 8), conv(build, x, 16))
    first, second = build.add(Split(1, (16, 8)), joined)
    build.output(conv(build, first, 8), "a")
    build.output(conv(build, second, 8), "b")
    assert blocked_ops(build).count("Unblock") == 2


def test_parts_of_blocks_are_joined_without_blocks() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 3, 6, 6))
    joined = build.add(Concat(1), conv(build, x, 12), conv(build, x, 4))
    build.output(conv(build, joined, 8), "y")
    ops = ["BlockedConv", "BlockedConv", "Unblock", "Unblock", "Concat", "Block", "BlockedConv"]
    assert blocked_ops(build) == [*ops, "Unblock"]


def test_an_epilogues_operands_are_blocked_too() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 8, 5, 5))
    residual = conv(build, x, 12)
    add, mul = Expression.of("Add"), Expression.of("Mul")
    op = Conv((1, 1), (0, 0, 0, 0), (1, 1), 1, add.then(mul, 0).then(mul, 0))
    scale = build.add(elementwise("Tanh"), build.input("s", (12, 1, 1)))
    weights, bias = build.constant(random(12, 12, 1, 1)), build.constant(random(12))
    build.output(
        build.add(op, residual, weights, bias, residual, scale, build.constant(np.float32(3))), "y"
    )
    assert blocked_ops(build)[-2:] == ["BlockedConv", "Unblock"]


def test_a_map_that_all_channels_share_is_spread() -> None:
    build = GraphBuilder()
    x = conv(build, build.input("x", (2, 8, 5, 4)), 16)
    attention = build.input("a", (2, 1, 5, 4))
    x = build.add(elementwise("Mul"), x, attention)
    x = build.add(elementwise("Sub"), x, build.constant(random(1, 1, 5, 4)))
    build.output(conv(build, x, 8), "y")
    assert "Elementwise" in blocked_ops(build)
    assert blocked_ops_between(build) == 0


def blocked_ops_between(build: GraphBuilder) -> int:
    """Moves out of blocks ahead of the last one."""
    return [type(node.op).__name__ for node in build.graph.nodes][:-1].count("Unblock")


def test_what_needs_plain_channels_gets_them_once() -> None:
    build = GraphBuilder()
    x = conv(build, build.input("x", (1, 8, 4, 4)), 10)
    build.output(build.add(Softmax(1), x), "a")
    build.output(build.add(Reshape((1, 160)), x), "b")
    build.output(x, "c")
    assert blocked_ops(build) == ["Block", "BlockedConv", "Unblock", "Softmax", "Reshape"]


def test_few_maps_and_odd_groups_stay_plain() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 12, 6, 6))
    build.output(conv(build, x, 2), "few")
    build.output(conv(build, x, 12, groups=3), "groups")
    assert blocked_ops(build) == ["Conv", "Conv"]


def test_a_depthwise_convolution_of_few_plain_channels_stays_plain() -> None:
    build = GraphBuilder()
    build.output(conv(build, build.input("x", (1, 3, 6, 6)), 3, groups=3), "y")
    assert blocked_ops(build) == ["Conv"]


def test_weights_that_are_not_constant_stay_plain() -> None:
    build = GraphBuilder()
    x, w = build.input("x", (1, 8, 6, 6)), build.input("w", (8, 8, 3, 3))
    build.output(build.add(Conv((1, 1), (1, 1, 1, 1), (1, 1)), x, w), "y")
    assert blocked_ops(build) == ["Conv"]


@pytest.mark.parametrize("channels", [16, 11])
def test_depthwise_and_pointwise_become_one(channels: int) -> None:
    build = GraphBuilder()
    x = conv(build, build.input("x", (1, 8, 7, 7)), channels)
    clip = Expression.of("Clip", min=-0.5, max=0.5)
    deep = conv(build, x, channels, groups=channels, epilogue=clip)
    build.output(conv(build, deep, 24, 1), "y")
    assert blocked_ops(build) == ["Block", "BlockedConv", "SeparableConv", "Unblock"]


def test_a_depthwise_result_with_two_readers_stays() -> None:
    build = GraphBuilder()
    deep = conv(build, build.input("x", (1, 16, 7, 7)), 16, groups=16)
    build.output(conv(build, deep, 24, 1), "y")
    build.output(conv(build, deep, 8, 1), "z")
    assert "SeparableConv" not in blocked_ops(build)


@pytest.mark.parametrize(
    ("side", "images", "joined"), [(40, 4, True), (40, 1, False), (90, 1, True)]
)
def test_a_large_expansion_joins_what_reads_it(side: int, images: int, joined: bool) -> None:
    build = GraphBuilder()
    x = conv(build, build.input("x", (images, 8, side, side)), 8, 1)
    wide = conv(build, x, 24, 1, epilogue=Expression.of("Relu"))
    assert (wide.spec.nbytes > LARGE) == joined
    deep = conv(build, wide, 24, groups=24, epilogue=Expression.of("HardSwish"))
    last = conv(build, deep, 8, 1)
    build.output(build.add(elementwise("Add"), last, x), "y")
    tail = ["InvertedBottleneck"] if joined else ["BlockedConv", "SeparableConv"]
    assert blocked_ops(build) == ["Block", "BlockedConv", *tail, "Elementwise", "Unblock"]


def test_a_large_expansion_of_plain_channels_or_with_two_readers_stays() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 3, 100, 100))
    for first in (x, conv(build, x, 8, 1)):
        wide = conv(build, first, 24, 1)
        build.output(conv(build, conv(build, wide, 24, groups=24), 8, 1), f"y{first.name}")
        if first is not x:
            build.output(wide, "wide")
    assert "InvertedBottleneck" not in blocked_ops(build)


def pooled(build: GraphBuilder, x: Value, **changed: object) -> Value:
    fields = {"kernel": (2, 2), "strides": (2, 2), "pads": (0,) * 4, "dilations": (1, 1)}
    result: Value = build.add(MaxPool(**{**fields, **changed}), x)  # type: ignore[arg-type]
    return result


@pytest.mark.parametrize(("kernel", "channels", "size"), [(5, 1, 12), (5, 8, 11), (3, 3, 9)])
def test_a_convolution_and_its_pooling_become_one(kernel: int, channels: int, size: int) -> None:
    build = GraphBuilder()
    x = build.input("x", (2, channels, size, size))
    deep = conv(build, x, 6, kernel, epilogue=Expression.of("HardSwish"))
    build.output(pooled(build, deep), "y")
    assert blocked_ops(build)[-2:] == ["PooledConv", "Unblock"]


@pytest.mark.parametrize(
    ("maps", "side", "stride", "kept", "blocks"),
    [
        (6, 2, 2, False, True), (4, 2, 2, False, False), (6, 2, 1, False, False),
        (6, 3, 3, False, False), (6, 2, 2, True, False),
    ],
)  # fmt: skip
def test_maps_that_fill_less_than_half_a_vector_share_it_if_pooled(
    maps: int, side: int, stride: int, kept: bool, blocks: bool
) -> None:
    build = GraphBuilder()
    deep = conv(build, build.input("x", (1, 3, 12, 20)), maps, 5)
    build.output(pooled(build, deep, kernel=(side, side), strides=(stride, stride)), "y")
    if kept:
        build.output(deep, "z")
    assert blocked_ops(build, 16) == (["PooledConv", "Unblock"] if blocks else ["Conv", "MaxPool"])


@pytest.mark.parametrize(
    "changed",
    [
        {"strides": (1, 1)}, {"pads": (1, 1, 1, 1)}, {"ceil_mode": True}, {"dilations": (2, 2)},
        {"kernel": (4, 1), "strides": (4, 1)}, {"kernel": (3, 3), "strides": (3, 3)},
    ],
)  # fmt: skip
def test_windows_that_overlap_reach_beyond_or_are_large_stay(changed: dict[str, object]) -> None:
    build = GraphBuilder()
    build.output(pooled(build, conv(build, build.input("x", (1, 1, 9, 9)), 6, 5), **changed), "y")
    assert "PooledConv" not in blocked_ops(build)


def test_pooling_in_one_dimension_is_left_alone() -> None:
    build = GraphBuilder()
    x = build.add(elementwise("Relu"), build.input("x", (1, 2, 9)))
    build.output(build.add(MaxPool((2,), (2,), (0, 0), (1,)), x), "y")
    assert blocked_ops(build) == ["Elementwise", "MaxPool"]


def test_a_convolution_with_two_readers_keeps_its_pooling_apart() -> None:
    build = GraphBuilder()
    deep = conv(build, build.input("x", (1, 1, 8, 8)), 8, 5)
    build.output(pooled(build, deep), "y")
    build.output(deep, "z")
    assert "PooledConv" not in blocked_ops(build)


@pytest.mark.parametrize("window", [2, 3])
def test_a_convolution_for_winograds_method_pools_whole_windows_of_its_tiles(window: int) -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 16, 12, 12))
    sides = {"kernel": (window, window), "strides": (window, window)}
    build.output(pooled(build, conv(build, x, 16), **sides), "y")
    assert ("PooledConv" in blocked_ops(build)) == (window == 2)


@pytest.mark.parametrize("channels", [16, 11])
@pytest.mark.parametrize("trans_b", [True, False])
def test_a_product_reads_a_flattened_map_in_blocks(channels: int, trans_b: bool) -> None:
    build = GraphBuilder()
    x = conv(build, build.input("x", (4, 3, 5, 6)), channels)
    x = build.add(Reshape((4, channels * 30)), x)
    w = random(10, channels * 30) if trans_b else random(channels * 30, 10)
    build.output(build.add(Gemm(trans_b=trans_b), x, build.constant(w)), "y")
    assert blocked_ops(build) == ["BlockedConv", "Reshape", "Gemm"]


@pytest.mark.parametrize(("shape", "columns"), [((2, 16 * 60), 10), ((4, 16 * 30), 40)])
def test_a_product_of_something_else_reads_no_blocks(shape: tuple[int, int], columns: int) -> None:
    """Rows that are not images, or so many weights that moving the map is nothing."""
    build = GraphBuilder()
    x = build.add(Reshape(shape), conv(build, build.input("x", (4, 3, 5, 6)), 16))
    build.output(build.add(Gemm(), x, build.constant(random(shape[1], columns))), "y")
    assert blocked_ops(build) == ["BlockedConv", "Unblock", "Reshape", "Gemm"]
