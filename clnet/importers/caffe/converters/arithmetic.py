"""Several bottoms, element by element; and factors and shifts per channel."""

from __future__ import annotations

from functools import reduce

import numpy as np

from clnet.errors import ModelError, ShapeError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.registry import converter


@converter("Eltwise")
def eltwise(layer: CaffeLayer) -> Value:
    """Product, sum with a coefficient for each bottom, or maximum. Forks broadcast."""
    param = layer.param("eltwise_param")
    param.ignore("stable_prod_grad")
    operation = param.choice("operation", "SUM", ("PROD", "SUM", "MAX"))
    coefficients = param.reals("coeff")
    inputs = [layer.bottom(i) for i in range(max(2, len(layer.bottoms)))]
    if coefficients and (len(coefficients) != len(inputs) or operation != "SUM"):
        raise ModelError(f"{len(coefficients)} coefficients for {operation} of {len(inputs)}")
    shape = inputs[0].spec.shape
    for other in (v.spec.shape for v in inputs[1:]):
        if len(other) != len(shape) or any(
            d not in (1, s) for d, s in zip(other, shape, strict=True)
        ):
            layer.alike(shape, other)
    for i, factor in enumerate(coefficients):
        if factor != 1.0:
            inputs[i] = layer.apply("Scale", inputs[i], factor=factor)
    function = {"PROD": "Mul", "SUM": "Add", "MAX": "Max"}[operation]
    return reduce(lambda a, b: layer.apply(function, a, b), inputs)


@converter("Scale")
def scale(layer: CaffeLayer) -> Value:
    """Times the second bottom, or weights; then, where ``bias_term`` says so, plus a bias."""
    param = layer.param("scale_param")
    param.ignore("filler", "bias_filler")
    x = layer.bottom()
    factor, shape = _operand(layer, param, 0)
    y = layer.apply("Mul", x, factor)
    if param.flag("bias_term"):
        bias = layer.array(0 if len(layer.bottoms) > 1 else 1, shape)
        y = layer.apply("Add", y, layer.constant(bias.reshape(factor.spec.shape)))
    return y


@converter("Bias")
def bias(layer: CaffeLayer) -> Value:
    param = layer.param("bias_param")
    param.ignore("filler")
    operand, _ = _operand(layer, param, 0)
    return layer.apply("Add", layer.bottom(), operand)


@converter("Axpy")
def axpy(layer: CaffeLayer) -> Value:
    """a · x + y with one a per channel (of SENet)."""
    a, x, y = (layer.bottom(i) for i in range(3))
    layer.alike(x.spec.shape, y.spec.shape)
    shape = (*x.spec.shape[:2], *(1,) * (x.spec.rank - 2))
    if x.spec.rank < 2 or a.spec.size != np.prod(shape):
        raise ShapeError(f"{list(a.spec.shape)} is not one factor per channel of "
                         f"{list(x.spec.shape)}")  # fmt: skip
    return layer.apply("Add", layer.apply("Mul", layer.reshaped(a, shape), x), y)


def _operand(layer: CaffeLayer, param: Message, index: int) -> tuple[Value, tuple[int, ...]]:
    """The second bottom, or else blob ``index``, ready to broadcast over the first bottom; and its
    shape before, which is that of the first bottom from ``axis`` on."""
    x = layer.bottom().spec.shape
    if len(layer.bottoms) > 1:
        given = layer.bottom(1)
        shape = given.spec.shape
        axis = layer.axis(param) if shape else 0
        # ones at the end, as pooling leaves them, stand for whatever the first bottom has there
        fits = axis + len(shape) <= len(x) and all(
            d in (1, x[axis + i]) for i, d in enumerate(shape)
        )
        if not fits:
            raise ShapeError(f"{list(shape)} does not fit {list(x)} from axis {axis} on")
        return layer.reshaped(given, shape + (1,) * (len(x) - axis - len(shape))), shape
    axis, count = layer.axis(param), param.integer("num_axes", 1, -1)
    end = len(x) if count == -1 else axis + count
    if end > len(x):
        raise ShapeError(f"{count} axes from {axis} on of {list(x)}")
    shape = x[axis:end]
    values = layer.array(index, shape)
    return layer.constant(values.reshape(*shape, *(1,) * (len(x) - end))), shape
