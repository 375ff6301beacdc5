"""Computes nodes whose inputs are all constant, once, by their NumPy reference."""

from __future__ import annotations

from clnet.graph import Graph
from clnet.graph.builder import MAX_FOLDED_BYTES


def fold_constants(graph: Graph) -> None:
    """Replace such nodes by their values. Importers fold as they build; rewrites leave more."""
    kept = []
    for node in graph.nodes:
        present = [v for v in node.inputs if v is not None]
        small = sum(v.spec.nbytes for v in node.outputs) <= MAX_FOLDED_BYTES
        if not (node.op.foldable and small and all(v.is_constant for v in present)):
            kept.append(node)
            continue
        arrays = node.op.reference(*(v.data if v is not None else None for v in node.inputs))
        for value, array in zip(node.outputs, arrays, strict=True):
            value.data = array
    graph.nodes = kept
