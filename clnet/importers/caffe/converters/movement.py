"""Layers that join, cut and repeat."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from clnet.errors import ModelError, ShapeError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.registry import converter
from clnet.ops.concat import Concat
from clnet.ops.slice import Slice
from clnet.ops.split import Split
from clnet.ops.tile import Tile


def _axis(layer: CaffeLayer, param: Message, old: str) -> int:
    """``axis``, or its name of old."""
    return layer.axis(param, old if param.has(old) else "axis")


@converter("Concat")
def concat(layer: CaffeLayer) -> Value:
    param = layer.param("concat_param")
    axis = _axis(layer, param, "concat_dim")
    result: Value = layer.bottom()
    return layer.add(Concat(axis), *layer.bottoms) if len(layer.bottoms) > 1 else result


@converter("Slice")
def slice_(layer: CaffeLayer) -> Any:
    """Cut at ``slice_point``, or into equal parts."""
    x, tops = layer.only(1), len(layer.layer.tops)
    param = layer.param("slice_param")
    axis, points = _axis(layer, param, "slice_dim"), param.integers("slice_point", 0)
    size = x.spec.shape[axis]
    if points:
        if len(points) != tops - 1 or any(a >= b for a, b in pairwise((0, *points, size))):
            raise ModelError(f"{size} cut at {list(points)[:20]} into {tops} parts")
        sizes = tuple(b - a for a, b in pairwise((0, *points, size)))
    else:
        if size % tops:
            raise ModelError(f"{size} does not divide into {tops} equal parts")
        sizes = (size // tops,) * tops
    return layer.add(Split(axis, sizes), x) if tops > 1 else x


@converter("Crop")
def crop(layer: CaffeLayer) -> Value:
    """The first bottom, from ``axis`` on as large as the second, from ``offset`` on."""
    x, reference = layer.bottom(0).spec.shape, layer.bottom(1).spec.shape
    param = layer.param("crop_param")
    axis, offsets = layer.axis(param, default=2), param.integers("offset", 0)
    count = len(x) - axis
    if len(reference) != len(x) or len(offsets) not in (0, 1, count):
        raise ModelError(f"{len(offsets)} offsets from axis {axis} on of {list(x)}, as large as "
                         f"{list(reference)}")  # fmt: skip
    starts = (offsets or (0,)) * (count if len(offsets) < 2 else 1)
    ends = tuple(s + d for s, d in zip(starts, reference[axis:], strict=True))
    if any(e > d for e, d in zip(ends, x[axis:], strict=True)):
        raise ShapeError(f"{list(x)} ends before {list(ends)}")
    result: Value = layer.add(Slice(starts, ends, tuple(range(axis, len(x)))), layer.bottom())
    return result


@converter("Tile")
def tile(layer: CaffeLayer) -> Value:
    x = layer.only(1)
    param = layer.param("tile_param")
    axis, tiles = layer.axis(param), param.integer("tiles", None, 1)
    repeats = tuple(tiles if a == axis else 1 for a in range(x.spec.rank))
    result: Value = layer.add(Tile(repeats), x)
    return result
