"""Turns arithmetic with a constant of one element into a cheaper function of the other operand.

x * c becomes Scale with c as its parameter, which is nothing to load and what BLAS calls SCAL; the
powers 2, 0.5 and -1 become x * x, a square root and a reciprocal.
"""

from __future__ import annotations

import numpy as np

from clnet.graph import Graph, Node, Value
from clnet.ops.elementwise import Elementwise, elementwise

#: What the power of a constant exponent is, where it is simpler.
POWERS = {0.5: "Sqrt", -1.0: "Reciprocal"}


def simplify_arithmetic(graph: Graph) -> None:
    """Rewrite every such multiplication and power in place."""
    for node in graph.nodes:
        if not isinstance(node.op, Elementwise) or len(node.op.expression.steps) != 1:
            continue
        function = node.op.expression.steps[0].function
        if function == "Mul":
            _scale(node)
        elif function == "Pow":
            _power(node)


def _scale(node: Node) -> None:
    for x, c in (node.inputs, node.inputs[::-1]):
        factor = _single(c)
        if factor is not None and x is not None and x.spec == node.output.spec:
            node.op, node.inputs = elementwise("Scale", factor=factor), [x]
            return


def _power(node: Node) -> None:
    x, exponent = node.inputs[0], _single(node.inputs[1])
    if x is None or x.spec != node.output.spec:
        return
    if exponent == 2:
        node.op, node.inputs = elementwise("Mul"), [x, x]
    elif exponent in POWERS:
        node.op, node.inputs = elementwise(POWERS[exponent]), [x]


def _single(value: Value | None) -> float | None:
    """The number that a constant holds, if it is one finite float32 or float16."""
    if value is None or not value.is_constant or value.spec.size != 1:
        return None
    if value.spec.dtype not in ("float32", "float16"):
        return None
    assert value.data is not None
    number = float(value.data.reshape(()))
    return number if np.isfinite(number) else None
