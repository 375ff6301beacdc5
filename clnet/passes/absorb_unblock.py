"""Lets the matrix product behind a flattened feature map read it in blocks, as it lies: the order
of the weights changes instead, once."""

from __future__ import annotations

from clnet.graph import Graph, Node, Value
from clnet.ops.blocked import Unblock
from clnet.ops.blocked.layout import blocked
from clnet.ops.gemm import Gemm
from clnet.ops.reshape import Reshape
from clnet.tensor_spec import TensorSpec

#: Weights of more columns per row of x are read so long that moving x does not count.
COLUMNS_PER_ROW = 8


def absorb_unblocks(graph: Graph) -> None:
    """Drop the Unblock ahead of each Gemm that alone reads the flat result."""
    producers, consumers = graph.producers(), graph.consumers()
    outputs = set(graph.outputs.values())

    def only(value: Value | None, reader: Node, op: type) -> Node | None:
        """The node of type ``op`` that gives ``value``, if nothing but ``reader`` wants it."""
        source = producers.get(value) if value is not None else None
        if source is None or not isinstance(source.op, op) or value in outputs:
            return None
        return source if consumers[source.output] == [reader] else None

    gone = set()
    for node in graph.nodes:
        if not isinstance(node.op, Gemm) or not _may_reorder(node):
            continue
        flat = only(node.inputs[0], node, Reshape)
        unblock = only(flat.inputs[0], flat, Unblock) if flat else None
        if flat is None or unblock is None or not _is_flattened(unblock.output, flat.output):
            continue
        source = unblock.inputs[0]
        assert source is not None
        n, _, height, width, block = source.spec.shape
        k = source.spec.size // n
        flat.op, flat.inputs = Reshape((n, k)), [source]
        flat.outputs = [Value(f"{flat.output.name}:blocked", source.spec.with_shape((n, k)))]
        weights = _reordered(node, (unblock.output.spec.shape[1], height, width), block)
        node.inputs[:2] = [flat.output, weights]
        gone.add(unblock)
    graph.remove(gone)


def _may_reorder(node: Node) -> bool:
    a, b = node.inputs[0], node.inputs[1]
    assert a is not None and b is not None
    columns = node.output.spec.shape[1]
    return b.is_constant and not node.op.trans_a and columns <= COLUMNS_PER_ROW * a.spec.shape[0]


def _is_flattened(x: Value, flat: Value) -> bool:
    """Whether every row of ``flat`` is an image of ``x``, and there is one."""
    n, size = x.spec.shape[0], x.spec.size
    return size > 0 and flat.spec.shape == (n, size // n)


def _reordered(node: Node, image: tuple[int, int, int], block: int) -> Value:
    """The weights for elements in the order of the blocked image; zeros meet what fills it up."""
    w = node.inputs[1]
    assert w is not None and w.data is not None
    columns = w.data if node.op.trans_b else w.data.T
    data = blocked(columns.reshape(-1, *image), block)
    data = data.reshape(len(data), -1)
    data = data if node.op.trans_b else data.T.copy()
    return Value(f"{w.name}:blocked", TensorSpec.of(data), data)
