"""Lets matrix products update the weights that they compute the gradient of.

The gradient of a fully connected layer is as large as its weights, and descent reads it once: so it
need not reach memory. Other optimizers keep more than the weight, and stay as they are.
"""

from __future__ import annotations

from clnet.graph import Graph, Node
from clnet.ops.gemm import Gemm
from clnet.ops.update import Update, UpdateBehind
from clnet.passes.fuse_epilogue import accepts, appended


def fuse_updates(graph: Graph) -> None:
    """Make each Update of one state the epilogue of the Gemm whose only reader it is. The joint
    node stands where the update stood: behind all that read the old value."""
    producers, consumers = graph.producers(), graph.consumers()
    outputs = set(graph.outputs.values())
    gone = set()
    for node in graph.nodes:
        if not isinstance(node.op, Update) or len(node.op.results) > 1:
            continue
        for position, value in enumerate(node.inputs[1:], 1):
            source = producers.get(value) if value is not None else None
            if value is None or source is None or value in outputs:
                continue
            if not isinstance(source.op, Gemm):
                continue
            if consumers[value] == [node] and _fits(source, node, position):
                op, inputs = appended(source, node, position)
                node.op = UpdateBehind(op, inputs.index(node.inputs[0]))
                node.inputs, node.name = inputs, f"{source.name}:update"
                gone.add(source)
                break
    graph.remove(gone)


def _fits(source: Node, node: Node, position: int) -> bool:
    vectors = node.op.expression.is_vector
    return vectors and node.inputs[0] not in source.inputs and accepts(source, node, position)
