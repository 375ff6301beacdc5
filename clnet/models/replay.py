"""Appends the nodes of one graph to another, for another batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.expand import Expand
from clnet.ops.reshape import Reshape
from clnet.ops.resize import Resize

#: Ops that name their output's shape, and the field that does.
_SHAPES: dict[type, str] = {Reshape: "shape", Expand: "shape", Resize: "out_shape"}


def replay(
    build: GraphBuilder,
    nodes: Sequence[Node],
    values: Mapping[Value, Value],
    constant: Callable[[Value], Value],
    result: Value,
    sizes: Mapping[int, int] | None = None,
) -> Value:
    """Append ``nodes``, which were made for one sample; returns what ``result`` became.

    ``values`` says what stands for their inputs, [N, ...] for [1, ...]; ``constant`` what stands
    for constants. ``sizes`` replaces sizes in shapes where these no longer fit. Raises
    UnsupportedError naming the node whose result does not follow the batch.
    """
    known = dict(values)
    batch = next(iter(values.values())).spec.shape[0]
    for node in nodes:
        inputs = [None if v is None else known.get(v) or constant(v) for v in node.inputs]
        follows = any(v in known for v in node.inputs if v is not None)
        try:
            op = _adapted(node, inputs, batch, sizes or {}) if follows else node.op
            outputs = build.add(op, *inputs, name=node.name)
        except ModelError as error:
            raise error.located(node=node.name) from error
        made = outputs if isinstance(outputs, tuple) else (outputs,)
        if not follows:
            known.update(zip(node.outputs, made, strict=True))
            continue
        for old, new in zip(node.outputs, made, strict=True):
            wanted = (batch * old.spec.shape[0], *old.spec.shape[1:]) if old.spec.shape else ()
            if new.spec.shape != wanted and not sizes:
                raise UnsupportedError(
                    f"trains on single samples only: {batch} of them give {list(new.spec.shape)}",
                    node=node.name,
                )
            known[old] = new
    return known[result]


def _adapted(
    node: Node, inputs: Sequence[Value | None], batch: int, sizes: Mapping[int, int]
) -> Any:
    """The node's op for ``batch`` samples, and for other ``sizes`` where its own do not fit."""
    field = _SHAPES.get(type(node.op))
    if field is None:
        return node.op
    shape = getattr(node.op, field)
    if shape and batch != 1 and shape[0] == node.output.spec.shape[0]:
        shape = (batch * shape[0], *shape[1:])
    (x, *_) = inputs
    if isinstance(node.op, Reshape) and x is not None and prod(shape) != x.spec.size:
        shape = tuple(sizes.get(d, d) for d in shape)
    return replace(node.op, **{field: shape})
