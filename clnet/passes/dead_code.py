"""Drops nodes that no output depends on."""

from __future__ import annotations

from clnet.graph import Graph


def remove_dead_code(graph: Graph) -> None:
    """Keep what the outputs need, and what updates a state."""
    needed = set(graph.outputs.values())
    kept = []
    for node in reversed(graph.nodes):
        if node.op.updates_state or any(v in needed for v in node.outputs):
            kept.append(node)
            needed.update(v for v in node.inputs if v is not None)
    graph.nodes = kept[::-1]
