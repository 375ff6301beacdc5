"""Computes nodes whose inputs are all constant, once, by their NumPy reference."""

from __future__ import annotations

from clnet.graph import Graph


def fold_constants(graph: Graph) -> None:
    """Replace such nodes by their values. Importers fold as they build; rewrites leave more."""
    kept = []
    for node in graph.nodes:
        if not graph.folds(node.op, node.inputs, [v.spec for v in node.outputs]):
            kept.append(node)
            continue
        arrays = node.op.reference(*(v.data if v is not None else None for v in node.inputs))
        for value, array in zip(node.outputs, arrays, strict=True):
            value.data = array
    graph.nodes = kept
