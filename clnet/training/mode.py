"""Turns a network as it predicts into the network as it trains."""

from __future__ import annotations

from dataclasses import replace

from clnet.graph import GraphBuilder, Value
from clnet.ops.dropout import Dropout


def to_training_mode(build: GraphBuilder, seed: Value, step: Value) -> None:
    """Let every Dropout of the graph drop elements, as ``seed`` (uint32) and ``step`` (int32), both
    scalars, say. Networks are described as they predict, be they built or imported."""
    layer = 0
    for node in build.graph.nodes:
        if isinstance(node.op, Dropout) and len(node.inputs) == 1:
            node.op, node.inputs = replace(node.op, layer=layer), [*node.inputs, seed, step]
            layer += 1
