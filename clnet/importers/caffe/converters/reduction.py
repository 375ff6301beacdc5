"""Sums over dimensions, and where the largest elements are."""

from __future__ import annotations

import math

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.registry import converter
from clnet.ops.cast import Cast
from clnet.ops.concat import Concat
from clnet.ops.reduce import Reduce
from clnet.ops.slice import Slice
from clnet.ops.top_k import TopK

_FUNCTIONS = {"SUM": "Sum", "ASUM": "L1", "SUMSQ": "SumSquare", "MEAN": "Mean"}


@converter("Reduction")
def reduction(layer: CaffeLayer) -> Value:
    """Over all dimensions from ``axis`` on, times a coefficient."""
    x = layer.only(1)
    param = layer.param("reduction_param")
    function = _FUNCTIONS[param.choice("operation", "SUM", tuple(_FUNCTIONS), first=1)]
    axes = tuple(range(layer.axis(param, default=0), x.spec.rank))
    coefficient = param.real("coeff", 1.0)
    y: Value = layer.add(Reduce(function, axes, False), x)
    return y if coefficient == 1.0 else layer.apply("Scale", y, factor=coefficient)


@converter("ArgMax")
def arg_max(layer: CaffeLayer) -> Value:
    """The ``top_k`` largest along ``axis``: their positions as floats, or with ``out_max_val`` the
    values. Without an axis, of each whole sample: [N, 1, k], or positions and values [N, 2, k].
    Of equal ones the last counts as larger."""
    x = layer.only(1)
    param = layer.param("argmax_param")
    count, values = param.integer("top_k", 1, 1), param.flag("out_max_val")
    shape = x.spec.shape
    if param.has("axis"):
        axis = layer.axis(param)
        best, where = _largest(layer, x, axis, count)
        return best if values else where
    sample = math.prod(shape[1:])
    best, where = _largest(layer, layer.reshaped(x, (shape[0], 1, sample)), 2, count)
    y: Value = layer.add(Concat(1), where, best) if values else where
    return layer.reshaped(y, (*y.spec.shape, *(1,) * (x.spec.rank - 3)))


def _largest(layer: CaffeLayer, x: Value, axis: int, count: int) -> tuple[Value, Value]:
    size = x.spec.shape[axis]
    if count > size:
        raise ModelError(f"the {count} largest of {size}")
    backwards: Value = layer.add(Slice((-1,), (-size - 1,), (axis,), (-1,)), x)
    best, where = layer.add(TopK(count, axis), backwards)
    where = layer.add(Cast("float32"), where)
    return best, layer.apply("Sub", layer.constant(size - 1), where)
