"""Moves transpositions along the graph until they meet their inverse.

Models whose channels come last are imported with a transposition before and behind each
convolution. What stands between two convolutions (activations, sums, joins, pads, reductions,
resizes) computes the same in any order of dimensions, so it is rewritten to the order of what it
reads. The transpositions behind one convolution and before the next then cancel out.

Every value is known as a *source* and a permutation of it. Whether it must exist itself shows only
when an op reads it that cares, or the graph ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clnet.graph import Graph, Node, Value
from clnet.ops.arg_reduce import ArgReduce
from clnet.ops.cast import Cast
from clnet.ops.concat import Concat
from clnet.ops.cum_sum import CumSum
from clnet.ops.elementwise import Elementwise
from clnet.ops.pad import Pad
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.resize import Resize
from clnet.ops.slice import Slice
from clnet.ops.softmax import LogSoftmax, Softmax
from clnet.ops.split import Split
from clnet.ops.tile import Tile
from clnet.ops.transpose import Transpose

Perm = tuple[int, ...]
#: Gives the op over the source and the permutation that leads to the old result.
Rule = Callable[[Any, Perm], tuple[Any, Perm]]


def move_transposes(graph: Graph) -> None:
    """Rewrite ``graph`` so that few transpositions are left; those of no elements or of dimensions
    of one element only become a Reshape, which is free."""
    if any(isinstance(node.op, Transpose) for node in graph.nodes):
        _Mover(graph).run()


class _Mover:
    """One walk over the nodes of a graph, in order."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.consumers = graph.consumers()
        self.outputs = set(graph.outputs.values())
        self.nodes: list[Node] = []
        self.sources: dict[Value, tuple[Value, Perm]] = {}
        self.made: dict[tuple[Value, Perm], Value] = {}

    def run(self) -> None:
        """Replace the graph's nodes."""
        for node in self.graph.nodes:
            if isinstance(node.op, Transpose) and not _changes(_present(node.inputs[0])):
                source, perm = self.source_of(_present(node.inputs[0]))
                self.sources[node.output] = source, tuple(perm[p] for p in node.op.perm)
            elif not self.moved(node):
                node.inputs = [v if v is None else self.existing(v) for v in node.inputs]
                self.nodes.append(node)
        for name, value in self.graph.outputs.items():
            self.graph.outputs[name] = self.existing(value)
        self.graph.nodes = self.nodes

    def source_of(self, value: Value) -> tuple[Value, Perm]:
        """The value that exists, and the permutation of it that ``value`` is."""
        return self.sources.get(value, (value, tuple(range(value.spec.rank))))

    def existing(self, value: Value) -> Value:
        """``value`` itself, transposed now if it was not yet."""
        return self.permuted(*self.source_of(value), result=value)

    def permuted(self, source: Value, perm: Perm, result: Value | None = None) -> Value:
        """``source`` with its dimensions permuted; ``result`` is the value to make if need be."""
        if perm == tuple(range(len(perm))):
            return source
        key = source, perm
        if key not in self.made:
            (spec,) = Transpose(perm).infer(source.spec)
            op = Reshape(spec.shape) if _is_free(source.spec.shape, perm) else Transpose(perm)
            if source.is_constant:
                (data,) = Transpose(perm).reference(source.data)
                result = Value(f"{source.name}:transposed", spec, data)
            else:
                if result is None:
                    result = Value(f"{source.name}:transposed", spec)
                self.nodes.append(Node(op, [source], [result], result.name))
            self.made[key] = result
        return self.made[key]

    def moved(self, node: Node) -> bool:
        """Apply ``node`` to the sources of what it reads, if that is possible and worth it."""
        rule = RULES.get(type(node.op))
        inputs = [_present(v) for v in node.inputs if v is not None]
        if rule is None or len(inputs) < len(node.inputs) or any(map(_changes, inputs)):
            return False
        rank = max((v.spec.rank for v in inputs), default=0)
        perm = self.best_order(node, inputs, rank)
        if perm is None:
            return False
        op, result = rule(node.op, perm)
        operands = [self.in_order(v, perm) for v in inputs]
        specs = op.infer(*(v.spec for v in operands))
        outputs = [
            Value(f"{v.name}:moved", spec) for v, spec in zip(node.outputs, specs, strict=True)
        ]
        self.nodes.append(Node(op, [*operands], outputs, node.name))
        for old, new in zip(node.outputs, outputs, strict=True):
            self.sources[old] = new, result
        return True

    def best_order(self, node: Node, inputs: Sequence[Value], rank: int) -> Perm | None:
        """The permutation, of those that inputs are of their sources, for which the fewest bytes
        must be transposed; None where that is none. What goes straight into transpositions of one
        kind is computed in their order, if that makes them smaller."""
        same = tuple(range(rank))
        found = {self.source_of(v)[1] for v in inputs if v.spec.rank == rank} - {same}
        if not found:
            readers = [n.op for v in node.outputs for n in self.consumers.get(v, [])]
            wanted = {op.perm if isinstance(op, Transpose) else same for op in readers}
            grows = sum(v.spec.nbytes for v in inputs if not v.is_constant) <= sum(
                v.spec.nbytes for v in node.outputs
            )
            if len(wanted) == 1 and grows and not self.outputs.intersection(node.outputs):
                (perm,) = wanted
                return None if perm == same or len(perm) != rank else _inverse(perm)
            return None
        best = min((self.cost(inputs, p), p == same, p) for p in (*found, same))
        return None if best[1] else best[2]

    def cost(self, inputs: Sequence[Value], perm: Perm) -> int:
        """Bytes that are transposed so that the inputs come in this order."""
        total = 0
        for value in inputs:
            if value.is_constant or value.spec.rank < len(perm):
                continue
            source, present = self.source_of(value)
            needed = tuple(present[p] for p in _inverse(perm))
            if (source, needed) not in self.made and not _is_free(source.spec.shape, needed):
                total += source.spec.nbytes
        return total

    def in_order(self, value: Value, perm: Perm) -> Value:
        """The value of which ``value`` is this permutation, with as many dimensions."""
        if value.spec.size == 1 and value.is_constant and value.spec.rank < len(perm):
            return value  # broadcasts as it is
        missing = len(perm) - value.spec.rank
        if missing:
            value = self.widened(self.existing(value), (1,) * missing + value.spec.shape)
        source, present = self.source_of(value)
        return self.permuted(source, tuple(present[p] for p in _inverse(perm)))

    def widened(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The value with ones in front of its shape."""
        spec = value.spec.with_shape(shape)
        if value.is_constant and value.data is not None:
            return Value(value.name, spec, value.data.reshape(shape))
        result = Value(f"{value.name}:widened", spec)
        self.nodes.append(Node(Reshape(shape), [value], [result], result.name))
        return result


def _present(value: Value | None) -> Value:
    assert value is not None
    return value


def _changes(value: Value) -> bool:
    """Whether it matters when a value is read, or its shape may be another: these stay alone."""
    return value.state or value.varies


def _inverse(perm: Perm) -> Perm:
    return tuple(int(p) for p in np.argsort(perm))


def _is_free(shape: Sequence[int], perm: Perm) -> bool:
    """Whether elements stay where they are: only dimensions of one element move."""
    moved = [p for p in perm if shape[p] > 1]
    return moved == sorted(moved) or 0 in shape


def _alike(op: Any, perm: Perm) -> tuple[Any, Perm]:
    return op, perm


def _along_axis(op: Any, perm: Perm) -> tuple[Any, Perm]:
    return replace(op, axis=perm[op.axis]), perm


def _without(perm: Perm, axes: Sequence[int]) -> Perm:
    """What is left of a permutation when these axes of its result are dropped."""
    kept = [p for axis, p in enumerate(perm) if axis not in axes]
    return tuple(sorted(kept).index(p) for p in kept)


def _arg_reduce(op: ArgReduce, perm: Perm) -> tuple[Any, Perm]:
    left = perm if op.keepdims else _without(perm, [op.axis % len(perm)])
    return replace(op, axis=perm[op.axis]), left


def _reduce(op: Reduce, perm: Perm) -> tuple[Any, Perm]:
    axes = tuple(sorted(perm[a] for a in op.axes))
    return replace(op, axes=axes), perm if op.keepdims else _without(perm, op.axes)


def _reordered(numbers: Sequence[Any], perm: Perm) -> tuple[Any, ...]:
    """Numbers per dimension of the result, by dimension of the source."""
    return tuple(numbers[i] for i in _inverse(perm)) if numbers else ()


def _pad(op: Pad, perm: Perm) -> tuple[Any, Perm]:
    return replace(op, pads=_reordered(op.before, perm) + _reordered(op.after, perm)), perm


def _resize(op: Resize, perm: Perm) -> tuple[Any, Perm]:
    rank = len(perm)
    moved = replace(
        op,
        out_shape=_reordered(op.out_shape, perm),
        scales=_reordered(op.scales, perm),
        roi=_reordered(op.roi[:rank], perm) + _reordered(op.roi[rank:], perm),
    )
    return moved, perm


def _slice(op: Slice, perm: Perm) -> tuple[Any, Perm]:
    axes = op.axes or tuple(range(len(op.starts)))
    return replace(op, axes=tuple(perm[a] for a in axes)), perm


def _tile(op: Tile, perm: Perm) -> tuple[Any, Perm]:
    return Tile(_reordered(op.repeats, perm)), perm


#: The ops that compute the same in any order of dimensions.
RULES: dict[type, Rule] = {
    ArgReduce: _arg_reduce,
    Cast: _alike,
    Concat: _along_axis,
    CumSum: _along_axis,
    Elementwise: _alike,
    LogSoftmax: _along_axis,
    Pad: _pad,
    Reduce: _reduce,
    Resize: _resize,
    Slice: _slice,
    Softmax: _along_axis,
    Split: _along_axis,
    Tile: _tile,
}
