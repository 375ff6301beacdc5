"""Weights in 8 bits between real numbers: what dynamic range quantisation leaves.

TensorFlow Lite then rounds what comes in to 8 bits, too, on a grid that spans its smallest and its
largest number: each row of a matrix, or each image. Its results follow from that rounding, so that
it is done here as well.
"""

from __future__ import annotations

import numpy as np

from clnet.graph import Value
from clnet.importers.tflite.node import TfliteNode
from clnet.ops.reduce import Reduce

_STEPS = 255.0
#: Of a grid over nothing but zeros.
_SMALLEST_RANGE = 1e-30


def rounded(node: TfliteNode, x: Value, weights: int, by_row: bool) -> Value:
    """``x`` on such a grid, where the operator's input ``weights`` asks for it."""
    if node.linear or x.spec.dtype != "float32" or not x.spec.size or not x.spec.rank:
        return x
    stored = node.stored(weights)
    if stored is None or stored.spec.dtype != "int8":
        return x
    axes = (x.spec.rank - 1,) if by_row else tuple(range(1, x.spec.rank))
    high = node.apply("Relu", node.add(Reduce("Max", axes), x))
    low = node.apply("Clip", node.add(Reduce("Min", axes), x), min=-np.inf, max=0.0)
    extent = node.apply("Clip", node.apply("Sub", high, low), min=_SMALLEST_RANGE, max=np.inf)
    density = node.apply("Div", node.constant(_STEPS, "float32"), extent)
    steps = node.apply("Round", node.apply("Mul", x, density))
    result: Value = node.apply("Div", steps, density)
    return result
