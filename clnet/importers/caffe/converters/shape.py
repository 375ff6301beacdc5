"""Layers that only give the same elements another shape or place, or none at all."""

from __future__ import annotations

import math
from typing import Any

from clnet.errors import ModelError, ShapeError, UnsupportedError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.network import dimensions
from clnet.importers.caffe.registry import converter
from clnet.ops.dropout import Dropout
from clnet.ops.transpose import Transpose


@converter("Dropout")
def dropout(layer: CaffeLayer) -> Value:
    """Nothing is dropped outside training. With ``scale_train`` false the scaling happens here."""
    param = layer.param("dropout_param")
    if param.flag("sample_weights_test"):
        raise UnsupportedError("dropout when tested (dropout_param.sample_weights_test)")
    ratio = param.real("dropout_ratio", 0.5)
    if layer.building.training:
        dropped: Value = layer.add(Dropout(ratio), layer.only())
        return dropped
    if param.flag("scale_train", True):
        return layer.only()
    return layer.apply("Scale", layer.only(), factor=1 - ratio)


@converter("Split")
def split(layer: CaffeLayer) -> Any:
    return (layer.only(),) * len(layer.layer.tops)


@converter("Parameter")
def parameter(layer: CaffeLayer) -> Value:
    return layer.blob(0, dimensions(layer.param("parameter_param").message("shape")))


@converter("Flatten")
def flatten(layer: CaffeLayer) -> Value:
    """The dimensions from ``axis`` to ``end_axis`` become one."""
    x = layer.only(1)
    param = layer.param("flatten_param")
    start, end = layer.axis(param), layer.axis(param, "end_axis", -1) + 1
    if start >= end:
        raise ModelError(f"flattening from axis {start} to {end - 1}")
    shape = x.spec.shape
    return layer.reshaped(x, (*shape[:start], math.prod(shape[start:end]), *shape[end:]))


@converter("Reshape")
def reshape(layer: CaffeLayer) -> Value:
    """``num_axes`` dimensions from ``axis`` on are replaced. 0 keeps one, one -1 takes the rest."""
    x = layer.only()
    param = layer.param("reshape_param")
    wanted = list(dimensions(param.message("shape"), -1))
    shape, rank = x.spec.shape, x.spec.rank
    axis, count = param.integer("axis", 0), param.integer("num_axes", -1, -1)
    start = axis if axis >= 0 else rank + axis + 1
    end = rank if count == -1 else start + count
    if not 0 <= start <= end <= rank or wanted.count(-1) > 1:
        raise ModelError(f"{wanted} for {count} axes from {axis} on of {list(shape)}")
    if any(d == 0 and start + i >= rank for i, d in enumerate(wanted)):
        raise ShapeError(f"{list(shape)} cannot be reshaped to {wanted}")
    wanted = [shape[start + i] if d == 0 else d for i, d in enumerate(wanted)]
    target = [*shape[:start], *wanted, *shape[end:]]
    if -1 in target:
        rest = -math.prod(target)
        if rest == 0 or x.spec.size % rest:
            raise ShapeError(f"{list(shape)} cannot be reshaped to {target}")
        target[target.index(-1)] = x.spec.size // rest
    if math.prod(target) != x.spec.size:
        raise ShapeError(f"{list(shape)} cannot be reshaped to {target}")
    return layer.reshaped(x, target)


@converter("Permute")
def permute(layer: CaffeLayer) -> Value:
    """Axes that ``order`` leaves out follow as they are."""
    x = layer.only()
    order = layer.param("permute_param").integers("order", 0)
    if len(set(order)) < len(order) or any(a >= x.spec.rank for a in order):
        raise ModelError(f"order {list(order)} of {x.spec.rank} dimensions")
    perm = (*order, *(a for a in range(x.spec.rank) if a not in order))
    result: Value = x if perm == tuple(range(x.spec.rank)) else layer.add(Transpose(perm), x)
    return result


@converter("ShuffleChannel")
def shuffle_channel(layer: CaffeLayer) -> Value:
    """Channels, dealt out to ``group`` in turn."""
    x = layer.only(2)
    n, channels, *spatial = x.spec.shape
    groups = layer.param("shuffle_channel_param").integer("group", 1, 1)
    if channels % groups:
        raise ModelError(f"{channels} channels in {groups} groups")
    y = layer.reshaped(x, (n, groups, channels // groups, math.prod(spatial)))
    return layer.reshaped(layer.add(Transpose((0, 2, 1, 3)), y), x.spec.shape)
