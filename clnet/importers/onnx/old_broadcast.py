"""Before opset 7, shapes met only where an attribute said so, at the axis that another named."""

from __future__ import annotations

from clnet.errors import ShapeError
from clnet.importers.onnx.node import OnnxNode
from clnet.ops.reshape import Reshape

#: The first opset whose operands broadcast as in NumPy.
SINCE = 7


def align_operands(node: OnnxNode) -> None:
    """Give the second input of a node of an old opset dimensions of one, so that it meets the first
    as NumPy has it. Slopes of PRelu are one per channel."""
    if len(node.inputs) != 2:
        return
    a, b = node.input(0).spec, node.input(1).spec
    if b.size == 1 or (node.op_type != "PRelu" and not node.flag("broadcast")):
        return
    axis = 1 if node.op_type == "PRelu" else node.axis("axis", a.rank - b.rank, a.rank)
    behind = a.rank - axis - b.rank
    if behind < 0:
        raise ShapeError(f"{b} does not meet {a} at axis {axis}")
    if behind:
        node.inputs[1] = node.add(Reshape((*b.shape, *(1,) * behind)), node.input(1))
