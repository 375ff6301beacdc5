"""Computes forward values again where the backward pass wants them, so that few are kept.

Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).
"""

from __future__ import annotations

import math

from clnet.graph import Graph, Node, Value


def recompute(graph: Graph, forward: int) -> None:
    """Rewrite ``graph``, whose first ``forward`` nodes are the forward pass.

    These are cut into about sqrt(forward) segments. Of each, only what later segments read is kept;
    whatever else the backward pass reads is computed anew from that, just before the first node
    that needs it.
    """
    first, rest = graph.nodes[:forward], graph.nodes[forward:]
    length = max(1, math.isqrt(forward))
    segment = {v: i // length for i, node in enumerate(first) for v in node.outputs}
    kept = {
        v
        for i, node in enumerate(first)
        for v in node.inputs
        if v in segment and segment[v] != i // length
    }
    kept |= set(graph.outputs.values())
    makers = {v: node for node in first for v in node.outputs}
    again: dict[Value, Value] = {}
    nodes = list(first)

    def present(value: Value | None) -> Value | None:
        """The value, made anew if it was not kept."""
        if value is None or value not in segment or value in kept:
            return value
        if value not in again:
            node = makers[value]
            inputs = [present(v) for v in node.inputs]
            outputs = [Value(f"{v.name}:again", v.spec) for v in node.outputs]
            again.update(zip(node.outputs, outputs, strict=True))
            nodes.append(Node(node.op, inputs, outputs, f"{node.name}:again"))
        return again[value]

    for node in rest:
        node.inputs = [present(v) for v in node.inputs]
        nodes.append(node)
    graph.nodes = nodes
