"""Joins convolutions and the pooling behind them: a quarter of the results reaches memory."""

from __future__ import annotations

from clnet.graph import Graph, Node
from clnet.ops.blocked import BlockedConv, PooledConv
from clnet.ops.blocked.winograd import winograd_tiles
from clnet.ops.pooling import MaxPool

#: Rows and columns of a window, and both together, that a register tile has room for.
LONGEST, MOST = 3, 6


def fuse_max_pools(graph: Graph) -> None:
    """Pull each convolution on blocks into the MaxPool that alone reads it, where windows do not
    overlap."""
    gone = set()
    for source, node in graph.private_links():
        if not isinstance(node.op, MaxPool) or not has_apart_windows(node.op):
            continue
        conv, (height, width, _) = source.op, node.op.kernel
        if node.output.spec.size and _may_pool(source, (height, width)):
            node.op = PooledConv(
                conv.strides, conv.pads, conv.dilations, conv.groups, conv.block, (height, width),
                conv.epilogue,
            )  # fmt: skip
            node.inputs, node.name = source.inputs, source.name
            gone.add(source)
    graph.remove(gone)


def has_apart_windows(op: MaxPool) -> bool:
    """Whether windows over [H, W, block] lie side by side, without padding."""
    if len(op.kernel) != 3 or op.kernel[2] != 1 or op.ceil_mode:
        return False
    plain = op.strides == op.kernel and not any(op.pads) and set(op.dilations) == {1}
    height, width, _ = op.kernel
    return plain and max(height, width) <= LONGEST and height * width <= MOST


def _may_pool(node: Node, pool: tuple[int, int]) -> bool:
    """Not a depthwise convolution, which has a kernel of its own, nor one for Winograd's method,
    which saves more, unless its tiles are whole windows."""
    op = node.op
    if not isinstance(op, BlockedConv) or len(node.inputs) > 3:
        return False
    x, w = node.inputs[0], node.inputs[1]
    assert x is not None and w is not None
    depthwise = op.groups > 1 and w.spec.shape[1] == 1
    window = op.window(x.spec, w.spec)
    tiles = winograd_tiles(x.spec, window, op.groups)
    return not depthwise and bool(not tiles or winograd_tiles(x.spec, window, op.groups, pool))
