"""Images in another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import converter
from clnet.ops.gather import Gather
from clnet.ops.resize import Resize

#: Pixels along one side.
MAX_SIDE = 1 << 20


def _size(node: TfliteNode) -> tuple[int, int]:
    size = node.integers_of(1)
    if len(size) != 2 or not all(0 < s <= MAX_SIDE for s in size):
        raise ModelError(f"an image of {list(size)} pixels")
    return size[0], size[1]


def _flags(node: TfliteNode) -> tuple[bool, bool]:
    """Whether corners are aligned, and whether coordinates are those of pixels' centres."""
    align, half = (bool(node.option(n, False)) for n in ("AlignCorners", "HalfPixelCenters"))
    if align and half:
        raise ModelError("align_corners and half_pixel_centers exclude each other")
    return align, half


@converter("RESIZE_BILINEAR", linear=(0,))
def resize_bilinear(node: TfliteNode) -> Any:
    x = node.nchw(node.image())
    align, half = _flags(node)
    mode = "align_corners" if align else "half_pixel" if half else "asymmetric"
    shape = (*x.spec.shape[:2], *_size(node))
    return node.nhwc(node.add(Resize(shape, (), "linear", mode), x))


@converter("RESIZE_NEAREST_NEIGHBOR", linear=(0,), exact=True)
def resize_nearest(node: TfliteNode) -> Any:
    """The format computes coordinates in float32; where that differs from exact ones, the pixels
    are gathered."""
    x = node.nchw(node.image())
    align, half = _flags(node)
    mode = "align_corners" if align else "half_pixel" if half else "asymmetric"
    rounding = "floor" if mode == "asymmetric" else "round_prefer_ceil"
    op = Resize((*x.spec.shape[:2], *_size(node)), (), "nearest", mode, rounding)
    wanted = {a: _sources(x, a, op.out_shape[a], align, half) for a in (2, 3)}
    tables = op.tables(x.spec.shape)
    exact = {a: tables[a].indices[:, 0] if a in tables else np.arange(op.out_shape[a])
             for a in wanted}  # fmt: skip
    if all(np.array_equal(wanted[a], exact[a]) for a in wanted):
        return node.nhwc(node.add(op, x))
    for axis, places in wanted.items():
        x = node.add(Gather(axis), x, node.constant(places, "int32"))
    return node.nhwc(x)


def _sources(x: Value, axis: int, outputs: int, align: bool, half: bool) -> np.ndarray:
    """Which pixel each output takes."""
    length = x.spec.shape[axis]
    if not length:
        raise ModelError(f"nothing to resize in {x.spec}")
    scale = np.float32(length) / np.float32(outputs)
    if align and outputs > 1:
        scale = np.float32(length - 1) / np.float32(outputs - 1)
    places = (np.arange(outputs, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
    nearest = np.floor(places + np.float32(0.5)) if align else np.floor(places)
    return nearest.astype(np.int64).clip(0, length - 1)
