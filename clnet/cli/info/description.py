"""What a graph consists of, as plain data."""

from __future__ import annotations

from typing import Any

from clnet.graph import Graph, Node, Value
from clnet.ops.base import workload_of


def describe(graph: Graph) -> dict[str, Any]:
    """Inputs, outputs, nodes and totals of a graph. Sizes in elements and bytes."""
    weights = [v for v in graph.values() if v.data is not None]
    nodes = [
        {
            "name": node.name,
            "op": node.op.label,
            "details": details(node),
            "output": node.output.spec.shape,
            "output_bytes": sum(v.spec.nbytes for v in node.outputs),
            "parameters": parameters(node),
            "macs": multiply_adds(node),
        }
        for node in graph.nodes
    ]
    return {
        "inputs": [_tensor(value.name, value) for value in graph.inputs],
        "outputs": [_tensor(name, value) for name, value in graph.outputs.items()],
        "nodes": nodes,
        "totals": {
            "nodes": len(nodes),
            "parameters": sum(v.spec.size for v in weights),
            "weight_bytes": sum(v.spec.nbytes for v in weights),
            "macs": sum(node["macs"] for node in nodes),
        },
    }


def parameters(node: Node) -> int:
    """Elements of the weights that a node reads."""
    return sum(v.spec.size for v in node.inputs if v is not None and v.data is not None)


def multiply_adds(node: Node) -> int:
    """Multiply-adds of a convolution or matrix product; 0 for everything else."""
    count: int = node.op.multiply_adds(workload_of(node))
    return count


def details(node: Node) -> str:
    """What sets a window apart from others of its kind: ``3x3/2``, for a stride of 2; ``d2`` for a
    dilation, ``g32`` for groups, ``dw`` where each channel is a group."""
    op = node.op
    kernel = getattr(op, "kernel", None)
    if hasattr(op, "groups"):
        weights = node.inputs[1]
        assert weights is not None
        kernel = weights.spec.shape[2:]
    if not kernel:
        return ""
    parts = ["x".join(map(str, kernel)) + _unless_one("/", op.strides)]
    parts.append(_unless_one("d", op.dilations))
    groups = getattr(op, "groups", 1)
    if groups > 1:
        assert node.inputs[0] is not None
        parts.append("dw" if groups == node.inputs[0].spec.shape[1] else f"g{groups}")
    return " ".join(filter(None, parts))


def _unless_one(mark: str, numbers: tuple[int, ...]) -> str:
    """The mark with the numbers, as one where they are equal, as nothing where they are 1."""
    if set(numbers) <= {1}:
        return ""
    return mark + "x".join(map(str, numbers if len(set(numbers)) > 1 else numbers[:1]))


def _tensor(name: str, value: Value) -> dict[str, Any]:
    return {"name": name, "dtype": value.spec.dtype, "shape": value.spec.shape}
