"""Turns a network as it predicts into the network as it trains.

Networks describe themselves as they predict, be they built or imported, so that nothing else needs
to know of training.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from clnet.graph import Graph, GraphBuilder, Node, Value
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.batch_statistics import BatchNormalizationTraining
from clnet.ops.dropout import Dropout
from clnet.ops.formula import Term, trace
from clnet.ops.update import Update

#: The share of a batch in the running mean and variance.
MOMENTUM = 0.1


def to_training_mode(build: GraphBuilder, trained: Set[Value], seed: Value, step: Value) -> None:
    """Rewrite the graph's nodes in place.

    Every Dropout drops elements, as ``seed`` (uint32) and ``step`` (int32), both scalars, say. A
    BatchNormalization whose scale is among the ``trained`` values takes the statistics of the
    batch, and moves its running ones, which must be states, towards them; a frozen one stays.
    """
    layer = 0
    for node in list(build.graph.nodes):
        if isinstance(node.op, Dropout) and len(node.inputs) == 1:
            node.op, node.inputs = replace(node.op, layer=layer), [*node.inputs, seed, step]
            layer += 1
        elif isinstance(node.op, BatchNormalization) and node.inputs[1] in trained:
            _by_batch(build, build.graph, node)


def _by_batch(build: GraphBuilder, graph: Graph, node: Node) -> None:
    x, scale, bias, mean, var = node.inputs
    assert x is not None and mean is not None and var is not None
    inner = GraphBuilder(graph=Graph())
    _, *found = inner.add(BatchNormalizationTraining(node.op.epsilon), x, scale, bias)
    (trained,) = inner.graph.nodes
    trained.name, trained.outputs[0] = node.name, node.output
    graph.nodes[graph.nodes.index(node)] = trained
    count = x.spec.size // x.spec.shape[1]
    unbiased = count / max(1, count - 1)
    for running, present, factor in zip((mean, var), found, (1.0, unbiased), strict=True):

        def moved(old: Term, new: Term, share: float = MOMENTUM * factor) -> tuple[Term, ...]:
            return (old * (1 - MOMENTUM) + new * share,)

        build.add(Update(*trace(moved, 2)), running, present, name=f"{running.name}:update")
