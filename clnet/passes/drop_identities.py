"""Drops what computes nothing: dropout outside training."""

from __future__ import annotations

from clnet.graph import Graph
from clnet.ops.dropout import Dropout


def drop_identities(graph: Graph) -> None:
    """Let the readers of such a node read its input, unless that would make an output of the graph
    of what no node computes."""
    for node in list(graph.nodes):
        (x, *random) = node.inputs or [None]
        if not isinstance(node.op, Dropout) or random or x is None:
            continue
        if node.output in graph.outputs.values() and x not in graph.producers():
            continue
        graph.replace(node.output, x)
        graph.remove([node])
