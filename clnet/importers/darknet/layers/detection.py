"""Decoders of boxes: yolo, region, detection.

The result is float32[N, boxes, 5 + classes]: centre x and y, width and height as parts of the
network's input, then how sure it is that there is an object, then that times each class's
probability. Boxes are in the order of cells, row by row, and within a cell of its anchors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clnet.errors import ModelError, ShapeError, UnsupportedError
from clnet.graph import Value
from clnet.importers.darknet.layer import Layer
from clnet.importers.darknet.registry import converter
from clnet.ops.concat import Concat
from clnet.ops.softmax import Softmax
from clnet.ops.split import Split
from clnet.ops.transpose import Transpose

#: The cells of an image of 32768 by 32768 pixels.
MAX_CELLS = 1 << 20


@converter("yolo", detects=True)
def yolo(layer: Layer) -> Value:
    """YOLO v3 and v4: anchors in pixels, out of which ``mask`` picks; classes by logistic."""
    total = layer.options.integer("num", 1, low=1)
    anchors = _anchors(layer, layer.options.integers("mask") or range(total))
    height, width = layer.input_size
    new = layer.options.flag("new_coords")  # the layer before is logistic already
    classes_and_object = 1 + layer.options.integer("classes", 20, low=1)
    centre, size, rest = _parts(layer, len(anchors), (2, 2, classes_and_object))
    scale = layer.options.real("scale_x_y", 1)
    if not new:
        centre, rest = layer.apply("Sigmoid", centre), layer.apply("Sigmoid", rest)
    if scale != 1:
        centre = layer.apply("Scale", centre, factor=scale)
        centre = layer.apply("Sub", centre, layer.constant((scale - 1) / 2))
    if new:
        size = layer.apply("Scale", layer.apply("Mul", size, size), factor=4.0)
    else:
        size = layer.apply("Exp", size)
    objects, classes = layer.add(Split(2, (1, classes_and_object - 1)), rest)
    return _boxes(layer, centre, size, anchors / (width, height), objects, classes)


@converter("region", detects=True)
def region(layer: Layer) -> Value:
    """YOLO v2: anchors in cells, classes by logistic or softmax."""
    layer.refuse("background")
    if "tree" in layer.options.options:
        raise UnsupportedError("tree=: hierarchies of classes are not supported")
    if layer.options.integer("coords", 4) != 4:
        raise UnsupportedError(f"coords={layer.options.integer('coords', 4)}")
    anchors = _anchors(layer, range(layer.options.integer("num", 1, low=1)))
    height, width = layer.image.spec.shape[2:]
    parts = (2, 2, 1, layer.options.integer("classes", 20, low=1))
    centre, size, objects, classes = _parts(layer, len(anchors), parts)
    if layer.options.flag("softmax"):
        classes = layer.add(Softmax(2), classes)
    else:
        classes = layer.apply("Sigmoid", classes)
    centre, objects = layer.apply("Sigmoid", centre), layer.apply("Sigmoid", objects)
    return _boxes(
        layer, centre, layer.apply("Exp", size), anchors / (width, height), objects, classes
    )


def _anchors(layer: Layer, mask: Sequence[int]) -> np.ndarray:
    """Widths and heights of the anchors that ``mask`` picks, [A, 2]."""
    sizes = layer.options.reals("anchors")
    there = len(sizes) // 2
    if len(mask) > there or not all(0 <= number < there for number in mask):
        raise ModelError(f"{len(mask)} anchors up to number {mask[-1]}, but there are {there}")
    return np.array(sizes[: 2 * there]).reshape(-1, 2)[list(mask)]


def _parts(layer: Layer, anchors: int, sizes: tuple[int, ...]) -> tuple[Value, ...]:
    """The input as [N, A, sizes[i], H, W] for each i."""
    x = layer.image
    batch, channels, height, width = x.spec.shape
    if channels != anchors * sum(sizes):
        raise ShapeError(
            f"{channels} channels are not {anchors} boxes of {sum(sizes)} numbers a cell"
        )
    if height * width > MAX_CELLS:
        raise UnsupportedError(f"boxes of {height}x{width} cells")
    cells = layer.reshape(x, batch, anchors, sum(sizes), height, width)
    parts: tuple[Value, ...] = layer.add(Split(2, sizes), cells)
    return parts


def _boxes(
    layer: Layer, centre: Value, size: Value, anchors: np.ndarray, objects: Value, classes: Value
) -> Value:
    """The table of boxes out of its parts, each [N, A, numbers, H, W]; ``centre`` is relative to
    the cell's corner, ``size`` to the anchor's, of which [A, 2] are parts of the input."""
    batch, count, _, height, width = centre.spec.shape
    rows, columns = np.mgrid[:height, :width]
    corners = np.stack([columns, rows])[None, None]
    extents = np.array([width, height]).reshape(1, 1, 2, 1, 1)
    centre = layer.apply("Add", centre, layer.constant(corners))
    centre = layer.apply("Mul", centre, layer.constant(1 / extents))
    size = layer.apply("Mul", size, layer.constant(anchors.reshape(1, -1, 2, 1, 1)))
    classes = layer.apply("Mul", classes, objects)
    joined = layer.add(Concat(2), centre, size, objects, classes)
    numbers = joined.spec.shape[2]
    flat = layer.reshape(joined, batch, count, numbers, height * width)
    ordered = layer.add(Transpose((0, 3, 1, 2)), flat)
    return layer.reshape(ordered, batch, height * width * count, numbers)


@converter("detection", detects=True)
def detection(layer: Layer) -> Value:
    """YOLO v1: a vector of class probabilities per cell, then how sure each cell's boxes are, then
    the boxes, whose centres are relative to the cell and whose sizes may be roots."""
    options = layer.options
    layer.refuse("reorg")
    classes, count = options.integer("classes", 1, low=1), options.integer("num", 1, low=1)
    side, coords = options.integer("side", 7, low=1, high=1024), options.integer("coords", 1)
    if coords != 4:
        raise UnsupportedError(f"coords={coords}")
    x = layer.flat(layer.input)
    batch, inputs = x.spec.shape
    cells = side * side
    sizes = (cells * classes, cells * count, cells * count * 4)
    if inputs != sum(sizes):
        raise ShapeError(f"{inputs} inputs are not side={side} squared times"
                         f" {classes} classes and {count} boxes")  # fmt: skip
    scores, objects, boxes = layer.add(Split(1, sizes), x)
    scores = layer.reshape(scores, batch, cells, 1, classes)
    if options.flag("softmax"):
        scores = layer.add(Softmax(3), scores)
    objects = layer.reshape(objects, batch, cells, count, 1)
    boxes = layer.reshape(boxes, batch, cells, count, 4)
    centre, size = layer.add(Split(3, (2, 2)), boxes)
    rows, columns = np.divmod(np.arange(cells), side)
    corners = np.stack([columns, rows], axis=1).reshape(1, cells, 1, 2)
    centre = layer.apply("Add", centre, layer.constant(corners))
    centre = layer.apply("Scale", centre, factor=1 / side)
    if options.flag("sqrt"):
        size = layer.apply("Mul", size, size)
    table = layer.add(Concat(3), centre, size, objects, layer.apply("Mul", scores, objects))
    return layer.reshape(table, batch, cells * count, 5 + classes)
