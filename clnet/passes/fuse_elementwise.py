"""Joins neighbouring elementwise nodes, so that what lies between them never reaches memory."""

from __future__ import annotations

from dataclasses import replace

from clnet.graph import Graph, Node, Value
from clnet.ops.elementwise import Elementwise
from clnet.ops.expression import Expression, Step

#: More inputs or steps than this gain nothing and make kernels that compile slowly.
MAX_INPUTS, MAX_STEPS = 8, 32


def fuse_elementwise(graph: Graph) -> None:
    """Pull every elementwise producer of the same shape into its only reader."""
    for node in graph.nodes:
        if isinstance(node.op, Elementwise):
            _unite_inputs(node)
    consumers = graph.consumers()
    outputs = set(graph.outputs.values())
    producers = graph.producers()
    gone = set()
    for node in graph.nodes:
        position = 0
        while isinstance(node.op, Elementwise) and position < len(node.inputs):
            value = node.inputs[position]
            source = producers.get(value) if value is not None else None
            private = value is not None and consumers[value] == [node] and value not in outputs
            if source is None or not private or not _fusible(source, node):
                position += 1
                continue
            _pull(source, node, position)
            gone.add(source)
            for v in source.inputs:
                if v is not None:
                    consumers[v] = list(
                        dict.fromkeys(node if n is source else n for n in consumers[v])
                    )
            position = 0
    graph.remove(gone)


def _fusible(source: Node, node: Node) -> bool:
    if not isinstance(source.op, Elementwise):
        return False
    same_shape = source.output.spec.shape == node.output.spec.shape
    steps = len(source.op.expression.steps) + len(node.op.expression.steps)
    inputs = len({*source.inputs, *node.inputs}) - 1
    return same_shape and steps <= MAX_STEPS and inputs <= MAX_INPUTS


def _pull(source: Node, node: Node, position: int) -> None:
    others = [v for i, v in enumerate(node.inputs) if i != position]
    node.op = replace(node.op, expression=source.op.expression.then(node.op.expression, position))
    node.inputs = [*source.inputs, *others]
    _unite_inputs(node)


def _unite_inputs(node: Node) -> None:
    """Let an expression read each of its inputs once."""
    old: Expression = node.op.expression
    unique: list[Value | None] = list(dict.fromkeys(node.inputs))
    if len(unique) == len(node.inputs):
        return
    lost = old.arity - len(unique)

    def renumber(arg: int) -> int:
        return unique.index(node.inputs[arg]) if arg < old.arity else arg - lost

    steps = tuple(Step(s.function, tuple(map(renumber, s.args)), s.params) for s in old.steps)
    node.op = replace(node.op, expression=Expression(len(unique), steps))
    node.inputs = unique
