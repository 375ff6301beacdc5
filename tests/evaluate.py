"""Runs a graph through the NumPy references of its ops: the oracle for passes and importers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clnet.graph import Graph, Value


def evaluate(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The graph's outputs by name. States and constants hold the values they start with."""
    known: dict[Value, np.ndarray] = {v: feeds[v.name] for v in graph.inputs}

    def array(value: Value) -> np.ndarray:
        return known[value] if value.data is None else value.data

    for node in graph.nodes:
        arrays = [array(v) if v is not None else None for v in node.inputs]
        known.update(zip(node.outputs, node.op.reference(*arrays), strict=True))
    return {name: np.asarray(array(v)) for name, v in graph.outputs.items()}
