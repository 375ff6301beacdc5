"""Layers that move or repeat pixels: upsample, reorg, reorg3d, crop."""

from __future__ import annotations

import numpy as np

from clnet.errors import ShapeError
from clnet.graph import Value
from clnet.importers.darknet.layer import MAX_STEP, Layer
from clnet.importers.darknet.registry import converter
from clnet.ops.concat import Concat
from clnet.ops.depth_to_space import DepthToSpace, SpaceToDepth
from clnet.ops.pooling import AveragePool
from clnet.ops.resize import Resize
from clnet.ops.slice import Slice


@converter("upsample")
def upsample(layer: Layer) -> Value:
    """Each pixel ``stride`` times along both axes; a negative stride adds up blocks instead."""
    x = layer.image
    stride = layer.options.integer("stride", 2, low=-MAX_STEP, high=MAX_STEP)
    scale = layer.options.real("scale", 1)
    batch, channels, height, width = x.spec.shape
    if stride < 0:
        block = (-stride, -stride)
        y: Value = layer.add(AveragePool(block, block, (0,) * 4, (1, 1)), x)
        scale *= stride * stride
    else:
        if stride == 0:
            raise ShapeError("stride=0")
        target = (batch, channels, height * stride, width * stride)
        scales = (1.0, 1.0, float(stride), float(stride))
        op = Resize(target, scales, coordinate_mode="asymmetric", nearest_mode="floor")
        y = layer.add(op, x)
    return y if scale == 1 else layer.apply("Scale", y, factor=scale)


@converter("reorg")
def reorg(layer: Layer) -> Value:
    """Darknet's own way of turning blocks of pixels into channels.

    It means to do the opposite of what it does: it takes the input's memory for that of an image
    with ``stride`` times the width and height and fewer channels, and turns blocks of that one
    into channels. ``reverse`` is the inverse of the layer it means to be; ``extra`` is another one,
    that only appends so many zeros.
    """
    layer.refuse("flatten")
    extra = layer.options.integer("extra", 0, high=1 << 16)
    if extra:
        flat = layer.flat(layer.input)
        zeros = layer.constant(np.zeros((flat.spec.shape[0], extra)))
        longer: Value = layer.add(Concat(1), flat, zeros)
        return longer
    x = layer.image
    stride = layer.options.integer("stride", 1, low=1, high=MAX_STEP)
    batch, channels, height, width = x.spec.shape
    area = stride * stride
    if channels % area:
        raise ShapeError(f"{channels} channels do not divide by stride={stride} squared")
    if layer.options.flag("reverse"):
        result: Value = layer.add(DepthToSpace(stride), x)
        return result
    if height % stride or width % stride:
        raise ShapeError(f"{x.spec} does not divide into blocks of stride={stride}")
    taken = layer.reshape(x, batch, channels // area, height * stride, width * stride)
    blocks = layer.add(SpaceToDepth(stride), taken)
    return layer.reshape(blocks, batch, channels * area, height // stride, width // stride)


@converter("reorg3d")
def reorg3d(layer: Layer) -> Value:
    """What reorg means to be: blocks of pixels become channels."""
    layer.refuse("reverse")
    stride = layer.options.integer("stride", 1, low=1, high=MAX_STEP)
    result: Value = layer.add(SpaceToDepth(stride), layer.image)
    return result


@converter("crop")
def crop(layer: Layer) -> Value:
    """The middle of the image, its pixels spread from 0..1 to -1..1 unless ``noadjust``."""
    x = layer.image
    height = layer.options.integer("crop_height", 1, low=1)
    width = layer.options.integer("crop_width", 1, low=1)
    top, left = (
        (whole - part) // 2 for whole, part in zip(x.spec.shape[2:], (height, width), strict=True)
    )
    if top < 0 or left < 0:
        raise ShapeError(f"crops {height}x{width} pixels out of {x.spec}")
    y: Value = layer.add(Slice((top, left), (top + height, left + width), (2, 3)), x)
    if layer.options.flag("noadjust"):
        return y
    return layer.apply("Sub", layer.apply("Scale", y, factor=2.0), layer.constant(1))
