"""Lets convolutions and matrix products compute what follows them elementwise before they store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clnet.graph import Graph, Node, Value
from clnet.ops.elementwise import Elementwise
from clnet.ops.epilogue import extra_role


def fuse_epilogues(graph: Graph) -> None:
    """Append each elementwise node to the op with an ``epilogue`` whose only reader it is.

    Activations and residual additions disappear this way. The joint node stands where the
    elementwise one stood, so all that it reads has been computed.
    """
    producers, consumers = graph.producers(), graph.consumers()
    outputs = set(graph.outputs.values())
    gone = set()
    for node in graph.nodes:
        if not isinstance(node.op, Elementwise) or not node.op.expression.is_vector:
            continue
        for position, value in enumerate(node.inputs):
            source = producers.get(value) if value is not None else None
            if source is None or value in outputs or source in gone or value is None:
                continue
            if consumers[value] == [node] and accepts(source, node, position):
                node.op, node.inputs = appended(source, node, position)
                node.name = source.name
                gone.add(source)
                break
    graph.remove(gone)


def accepts(source: Node, node: Node, position: int) -> bool:
    """Whether ``node``, which has an expression, can be the epilogue of ``source``, whose output is
    its input ``position``."""
    if not hasattr(source.op, "epilogue"):
        return False
    output = source.output.spec
    if not output.is_float or node.output.spec != output:
        return False
    specs = [v.spec for v in node.inputs if v is not None]
    if set(node.op.expression.dtypes([s.dtype for s in specs])) != {output.dtype}:
        return False
    extras = [s for i, s in enumerate(specs) if i != position]
    return all(extra_role(e, output, source.op.channel_axes) for e in extras)


def appended(source: Node, node: Node, position: int) -> tuple[Any, list[Value | None]]:
    """Op and inputs of the joint node."""
    others = [v for i, v in enumerate(node.inputs) if i != position]
    operands = list(source.inputs)
    if not source.op.epilogue.steps:  # optional inputs that were left out must keep their place
        operands += [None] * (source.op.own_inputs - len(operands))
    epilogue = source.op.epilogue.then(node.op.expression, position)
    return replace(source.op, epilogue=epilogue), [*operands, *others]
