"""Stores floats as half: casts at the borders, half between them."""

from __future__ import annotations

import numpy as np

from clnet.graph import Graph, GraphBuilder, Value
from clnet.ops.cast import Cast


def to_half(graph: Graph) -> None:
    """Turn every float32 inside ``graph`` into float16; inputs and outputs stay as they are."""
    halves: dict[Value, Value] = {}
    wanted = {name: value.spec.dtype for name, value in graph.outputs.items()}
    build = GraphBuilder(graph=Graph())
    for value in graph.inputs:
        if value.spec.dtype == "float32":
            halves[value] = build.add(Cast("float16"), value, name=f"{value.name}:half")
    casts = build.graph.nodes
    for value in list(graph.values()):
        if value in halves or value.spec.dtype != "float32":
            continue
        value.spec = value.spec.with_dtype("float16")
        if value.data is not None:
            limit = np.finfo(np.float16).max
            value.data = np.clip(value.data, -limit, limit).astype(np.float16)
    for node in graph.nodes:
        node.inputs = [halves.get(v, v) if v is not None else None for v in node.inputs]
        node.op = node.op.in_half()
    back = GraphBuilder(graph=Graph())
    for name, value in list(graph.outputs.items()):
        value = halves.get(value, value)
        if value.spec.dtype != wanted[name]:
            graph.outputs[name] = back.add(Cast(wanted[name]), value, name=f"{name}:float")
    graph.nodes = [*casts, *graph.nodes, *back.graph.nodes]
