"""Lets convolutions on CPUs compute on blocked channels, and what lies between them as well.

Every convolution with constant weights that fills vectors with channels becomes one on blocks
(``ops/blocked``). Ops that compute alike in any layout follow where an operand is blocked already:
over the five dimensions of a blocked tensor they are the same ops with other attributes. Where
anything else reads a blocked value it is moved back, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clnet.graph import Graph, Node, Value
from clnet.ops.blocked import Block, BlockedConv, Unblock
from clnet.ops.blocked.few_maps import can_share
from clnet.ops.blocked.layout import DTYPES, blocked
from clnet.ops.concat import Concat
from clnet.ops.conv import Conv
from clnet.ops.elementwise import Elementwise
from clnet.ops.lowering import ceil_div
from clnet.ops.pad import Pad
from clnet.ops.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.resize import Resize
from clnet.ops.split import Split
from clnet.passes.fuse_max_pool import has_apart_windows
from clnet.tensor_spec import TensorSpec


def block_channels(graph: Graph, block: int) -> None:
    """Rewrite ``graph`` for blocks of so many channels."""
    _Blocker(graph, block).run()


class _Blocker:
    """One walk over the nodes of a graph, in order."""

    def __init__(self, graph: Graph, block: int) -> None:
        self.graph, self.block, self.consumers = graph, block, graph.consumers()
        self.nodes: list[Node] = []
        self.blocks: dict[Value, Value] = {}  #: the blocked form of what has one
        self.plain: set[Value] = set()  #: of these, what exists without blocks as well

    def run(self) -> None:
        """Replace the graph's nodes."""
        for node in self.graph.nodes:
            if not (self.convolved(node) or self.followed(node)):
                node.inputs = [self.unblocked(v) for v in node.inputs]
                self.nodes.append(node)
        for value in self.graph.outputs.values():
            self.unblocked(value)
        self.graph.nodes = self.nodes

    def convolved(self, node: Node) -> bool:
        """Compute a convolution on blocks, if that fits."""
        op = node.op
        if not isinstance(op, Conv):
            return False
        x, w, *rest = node.inputs
        assert x is not None
        if not suits(node, self.block) and not self.shares_vectors(node):
            return False
        if x in self.blocks or x.spec.shape[1] >= self.block:
            x = self.blocked(x)
        elif op.groups > 1:  # a depthwise convolution of a few plain channels is best left so
            return False
        extras = [self.operand(v, node.output.spec.shape[1]) for v in rest[1:]]
        conv = BlockedConv(op.strides, op.pads, op.dilations, op.groups, self.block, op.epilogue)
        self.add(conv, [x, w, *rest[:1], *extras], node)
        return True

    def shares_vectors(self, node: Node) -> bool:
        """Whether maps that fill less than half a vector are better computed two in one: where all
        that reads them is a pooling, so that little is left of blocks that are mostly empty."""
        x, w = node.inputs[:2]
        assert x is not None and w is not None
        readers = [n.op for n in self.consumers.get(node.output, ())]
        if len(readers) != 1 or node.output in self.graph.outputs.values():
            return False
        pool = _pool(readers[0], node, self.block) if isinstance(readers[0], MaxPool) else None
        return (
            pool is not None
            and has_apart_windows(pool)
            and x not in self.blocks
            and x.spec.shape[1] < self.block
            and node.op.groups == 1
            and suits(node, self.block, self.block // 4 + 1)
            and can_share(w.spec.shape[3], node.op.strides[1], x.spec.dtype)
        )

    def followed(self, node: Node) -> bool:
        """Compute on blocks what reads them, if it is the same there."""
        present = [v for v in node.inputs if v is not None]
        rule = RULES.get(type(node.op))
        if rule is None or not any(v in self.blocks for v in present):
            return False
        if not all(map(_blockable, node.outputs)) or not all(map(_can_meet_blocks, present)):
            return False
        op = rule(node.op, node, self.block)
        if op is None:
            return False
        channels = node.output.spec.shape[1] if isinstance(op, Elementwise) else 1
        self.add(op, [self.operand(v, channels) for v in present], node)
        return True

    def add(self, op: Any, inputs: list[Value | None], node: Node) -> None:
        """Append ``op`` on blocks in place of ``node``."""
        specs = op.infer(*(v.spec if v is not None else None for v in inputs))
        outputs = [Value(f"{v.name}:blocked", s) for v, s in zip(node.outputs, specs, strict=True)]
        self.nodes.append(Node(op, inputs, outputs, node.name))
        self.blocks.update(zip(node.outputs, outputs, strict=True))

    def operand(self, value: Value | None, channels: int) -> Value:
        """The form in which a value meets blocked ones of so many channels."""
        assert value is not None
        if value.spec.size == 1 and not value.is_constant and value.spec.rank == 4:
            return self.reshaped(value, (1,) * 5)
        if value.spec.size == 1:
            return value
        return self.blocked(value, spread=channels > 1)

    def blocked(self, value: Value, *, spread: bool = False) -> Value:
        """The blocked form of a value, made now if it was not yet. With ``spread``, a single
        channel is one for every lane."""
        if value not in self.blocks:
            shape = (1,) * (4 - value.spec.rank) + value.spec.shape
            single = spread and shape[1] == 1
            if value.is_constant:
                assert value.data is not None
                data = value.data.reshape(shape)
                data = data[..., None] if single else blocked(data, self.block)
                result = Value(f"{value.name}:blocked", TensorSpec.of(data), data)
            elif single:
                return self.reshaped(value, (*shape, 1))
            elif shape[1] % self.block == 0 and shape[2:] == (1, 1):  # elements stay where they are
                result = self.reshaped(value, (shape[0], shape[1] // self.block, 1, 1, self.block))
            else:
                source = value if value.spec.rank == 4 else self.reshaped(value, shape)
                result = self.made(Block(self.block), source)
            self.blocks[value] = result
            self.plain.add(value)
        return self.blocks[value]

    def reshaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The same elements in another shape."""
        return self.made(Reshape(shape), value)

    def made(self, op: Any, value: Value) -> Value:
        """What ``op`` makes of a value."""
        (spec,) = op.infer(value.spec)
        result = Value(f"{value.name}:blocked", spec)
        self.nodes.append(Node(op, [value], [result], result.name))
        return result

    def unblocked(self, value: Value | None) -> Value | None:
        """``value`` itself, moved out of its blocks now if it was not yet."""
        if value in self.blocks and value not in self.plain:
            source, shape = self.blocks[value], value.spec.shape
            op: Any = Unblock(shape[1])
            if shape[1] % self.block == 0 and shape[2:] == (1, 1):
                op = Reshape(shape)
            self.nodes.append(Node(op, [source], [value], f"{value.name}:unblocked"))
            self.plain.add(value)
        return value


def suits(node: Node, block: int, least: int | None = None) -> bool:
    """Whether a convolution fills vectors with channels: two spatial dimensions, constant weights,
    and groups of whole blocks, or depthwise. ``least`` maps are enough, by default half a block."""
    x, w, *rest = node.inputs
    assert x is not None and w is not None
    bias = rest[0] if rest else None
    if not _blockable(x) or not w.is_constant or not (bias is None or bias.is_constant):
        return False
    channels, groups = w.spec.shape[1], node.op.groups
    maps = w.spec.shape[0] // groups
    if groups > 1:
        return channels == maps == 1 or channels % block == maps % block == 0
    return maps >= (least or block // 2)


def _blockable(value: Value) -> bool:
    return value.spec.rank == 4 and value.spec.dtype in DTYPES and not value.varies


def _can_meet_blocks(value: Value) -> bool:
    """Whether a value has a form that meets blocked ones."""
    return (_blockable(value) and not value.state) or (
        value.is_constant and value.spec.rank <= 4 and value.spec.dtype in DTYPES
    )


#: Gives the op that computes on blocks what ``op`` of ``node`` computes without; None: none does.
Rule = Callable[[Any, Node, int], Any]


def _alike(op: Any, node: Node, block: int) -> Any:
    return op


def _elementwise(op: Elementwise, node: Node, block: int) -> Any:
    floats = all(v is not None and v.spec.dtype in DTYPES for v in node.inputs)
    return op if floats and op.expression.is_vector else None


def _pool(op: MaxPool | AveragePool, node: Node, block: int) -> Any:
    if isinstance(op, MaxPool) and op.indices:
        return None
    once, (before, after) = (1,), (op.pads[:2], op.pads[2:])
    return replace(
        op, kernel=op.kernel + once, strides=op.strides + once, dilations=op.dilations + once,
        pads=(*before, 0, *after, 0),
    )  # fmt: skip


def _global_pool(op: GlobalAveragePool, node: Node, block: int) -> Any:
    return Reduce(op.function, (2, 3), True)


def _reduce(op: Reduce, node: Node, block: int) -> Any:
    return op if op.keepdims and sorted(a % 4 for a in op.axes) == [2, 3] else None


def _concat(op: Concat, node: Node, block: int) -> Any:
    whole = all(v is not None and v.spec.shape[1] % block == 0 for v in node.inputs)
    return Concat(1) if whole and op.axis % 4 == 1 else None


def _split(op: Split, node: Node, block: int) -> Any:
    if op.axis % 4 != 1 or any(s % block for s in op.sizes):
        return None
    return Split(1, tuple(s // block for s in op.sizes))


def _pad(op: Pad, node: Node, block: int) -> Any:
    if op.before[1] or op.after[1]:
        return None
    return replace(op, pads=(*op.before, 0, *op.after, 0))


def _resize(op: Resize, node: Node, block: int) -> Any:
    (x,) = node.inputs
    assert x is not None
    (n, c, height, width), channels = op.out_shape, x.spec.shape[1]
    if c != channels or (op.scales and op.scales[1] != 1) or op.roi:
        return None
    shape = (n, ceil_div(c, block), height, width, block)
    return replace(op, out_shape=shape, scales=(*op.scales, 1.0) if op.scales else ())


RULES: dict[type, Rule] = {
    AveragePool: _pool,
    Concat: _concat,
    Elementwise: _elementwise,
    GlobalAveragePool: _global_pool,
    GlobalMaxPool: _global_pool,
    MaxPool: _pool,
    Pad: _pad,
    Reduce: _reduce,
    Resize: _resize,
    Split: _split,
}
