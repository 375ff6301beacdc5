"""Joins depthwise convolutions and the 1x1 convolutions behind them: a launch less, and nothing of
what lies between them reaches memory.

The 1x1 convolution ahead of them stays: joined as well, MobileNetV2's first three blocks took
1.51 ms in place of 1.42 on two cores of a Zen 3."""

from __future__ import annotations

from clnet.graph import Graph, Node
from clnet.ops.blocked import BlockedConv, SeparableConv


def fuse_separable(graph: Graph) -> None:
    """Pull each depthwise convolution on blocks into the 1x1 convolution that alone reads it."""
    gone = set()
    for source, node in graph.private_links():
        if _is_depthwise(source) and is_pointwise(node):
            _join(source, node)
            gone.add(source)
    graph.remove(gone)


def _is_depthwise(node: Node) -> bool:
    op, w = node.op, node.inputs[1] if len(node.inputs) > 1 else None
    if not isinstance(op, BlockedConv) or w is None:
        return False
    return op.groups > 1 and w.spec.shape[1] == 1 and len(node.inputs) <= 3


def is_pointwise(node: Node) -> bool:
    """Whether it is a 1x1 convolution on blocks that looks at every pixel."""
    op, w = node.op, node.inputs[1] if len(node.inputs) > 1 else None
    if not isinstance(op, BlockedConv) or w is None:
        return False
    plain = op.groups == 1 and op.strides == (1, 1) and not any(op.pads)
    return plain and w.spec.shape[2:] == (1, 1)


def _join(source: Node, node: Node) -> None:
    """Turn ``node`` into the joint one; its outputs stay."""
    first, second = source.op, node.op
    node.op = SeparableConv(
        first.strides, first.pads, first.dilations, first.groups, second.block,
        first.epilogue, second.epilogue,
    )  # fmt: skip
    ahead = [*source.inputs, *[None] * (3 - len(source.inputs))]
    behind = [*node.inputs[1:3], *[None] * (3 - len(node.inputs))]
    node.inputs = [*ahead, *behind, *node.inputs[3:]]
