"""Lets a convolution do the zero padding that stands before it."""

from __future__ import annotations

from dataclasses import replace

from clnet.graph import Graph, Node
from clnet.ops.conv import Conv
from clnet.ops.pad import Pad


def fold_pads(graph: Graph) -> None:
    """Move the pads of a constant Pad with 0 into the Conv that alone reads it."""
    gone = []
    for pad, node in graph.private_links():
        if isinstance(node.op, Conv) and _is_zero_padding(pad):
            rank = pad.output.spec.rank
            begins, ends = pad.op.pads[2:rank], pad.op.pads[rank + 2 :]
            extra = (*begins, *ends)
            pads = tuple(a + b for a, b in zip(node.op.pads, extra, strict=True))
            node.op = replace(node.op, pads=pads)
            node.inputs[0] = pad.inputs[0]
            gone.append(pad)
    graph.remove(gone)


def _is_zero_padding(node: Node) -> bool:
    """Whether a node pads only spatial dimensions, only with zeros."""
    op = node.op
    if not isinstance(op, Pad) or op.mode != "constant" or op.value != 0:
        return False
    rank = node.output.spec.rank
    borders = (*op.pads[:2], *op.pads[rank : rank + 2])
    return rank > 2 and not any(borders) and min(op.pads) >= 0
