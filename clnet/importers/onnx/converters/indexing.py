"""Elements that are picked or put by indices out of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.onnx.converters.constants import MAX_ELEMENTS
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.ops.cast import Cast
from clnet.ops.compress import Compress
from clnet.ops.elementwise import elementwise
from clnet.ops.expand import Expand
from clnet.ops.gather import Gather
from clnet.ops.gather_elements import GatherElements
from clnet.ops.lowering import strides_of
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.scatter_elements import ScatterElements
from clnet.ops.unique import Unique


def _rows(node: OnnxNode, coordinates: Value, shape: Sequence[int], batch: int = 0) -> Value:
    """Lists of coordinates, in the last dimension, as row numbers (int32) of a tensor whose first
    dimensions are ``shape``. The first ``batch`` dimensions of both belong together."""
    own = tuple(shape[batch:])
    steps = strides_of(own)
    given = node.add(Cast("int32"), coordinates)
    if coordinates.spec.shape[-1:] != (len(own),):
        raise ModelError(f"coordinates {coordinates.spec} in {list(shape)}")
    limits, zero = node.constant(own, "int32"), node.constant(0, "int32")
    below = node.add(elementwise("Less"), given, zero)
    from_end = node.add(elementwise("Add"), given, limits)
    positive = node.add(elementwise("Where"), below, from_end, given)
    scaled = node.add(elementwise("Mul"), positive, node.constant(steps, "int32"))
    axis = coordinates.spec.rank - 1
    rows: Value = node.add(Reduce("Sum", (axis,), False), scaled)
    if batch:
        count, size = math.prod(shape[:batch]), math.prod(own)
        ones = (1,) * (rows.spec.rank - batch)
        base = (np.arange(count) * size).reshape(*shape[:batch], *ones)
        rows = node.add(elementwise("Add"), rows, node.constant(base, "int32"))
    return rows


@converter("GatherND")
def gather_nd(node: OnnxNode) -> Any:
    """Each list of coordinates, in the last dimension of the indices, names a part of x."""
    x, indices = node.input(0), node.input(1)
    batch = node.integer("batch_dims", 0)
    if not indices.spec.rank or not 0 <= batch < indices.spec.rank:
        raise ModelError(f"coordinates {indices.spec} with batch_dims {batch}")
    depth = batch + indices.spec.shape[-1]
    shape = x.spec.shape
    if depth > x.spec.rank or shape[:batch] != indices.spec.shape[:batch]:
        raise ModelError(f"coordinates {indices.spec} in {x.spec}")
    rows = _rows(node, indices, shape[:depth], batch)
    flat = node.add(Reshape((math.prod(shape[:depth]), *shape[depth:])), x)
    return node.add(Gather(0), flat, rows)


@converter("Scatter", "ScatterElements")
def scatter_elements(node: OnnxNode) -> Any:
    x, indices, updates = (node.input(i) for i in range(3))
    if indices.spec.shape != updates.spec.shape:
        raise ModelError(f"updates {updates.spec} at indices {indices.spec}")
    reduction = node.text("reduction", "none", "add", "mul", "max", "min")
    op = ScatterElements(node.axis("axis", 0, x.spec.rank), reduction)
    return node.add(op, x, indices, updates)


@converter("ScatterND")
def scatter_nd(node: OnnxNode) -> Any:
    """Parts of x, named by lists of coordinates, are replaced."""
    x, indices, updates = (node.input(i) for i in range(3))
    shape, places = x.spec.shape, indices.spec.shape
    depth = places[-1] if places else 0
    if not 1 <= depth <= x.spec.rank or updates.spec.shape != (*places[:-1], *shape[depth:]):
        raise ModelError(f"updates {updates.spec} at coordinates {indices.spec} of {x.spec}")
    count, inner = math.prod(places[:-1]), math.prod(shape[depth:])
    rows = node.add(Reshape((count, 1)), _rows(node, indices, shape[:depth]))
    reduction = node.text("reduction", "none", "add", "mul", "max", "min")
    matrix = node.add(Reshape((math.prod(shape[:depth]), inner)), x)
    new = node.add(Reshape((count, inner)), updates)
    result = node.add(ScatterElements(0, reduction), matrix, rows, new)
    return node.add(Reshape(shape), result)


@converter("TensorScatter")
def tensor_scatter(node: OnnxNode) -> Any:
    """A cache, of which each batch gets new entries from an index of its own on."""
    cache, update = node.input(0), node.input(1)
    axis = node.axis("axis", -2, cache.spec.rank)
    if axis == 0 or update.spec.rank != cache.spec.rank:
        raise ModelError(f"update {update.spec} along axis {axis} of {cache.spec}")
    batch, count = cache.spec.shape[0], update.spec.shape[axis]
    column = (batch, *(1,) * (cache.spec.rank - 1))
    along = [count if d == axis else 1 for d in range(cache.spec.rank)]
    places: Value = node.constant(np.arange(count).reshape(along), "int32")
    if node.has(2):
        first = node.add(Reshape(column), node.add(Cast("int32"), node.input(2)))
        places = node.add(elementwise("Add"), first, places)
    if node.text("mode", "linear", "circular") == "circular":
        extent = node.constant(cache.spec.shape[axis], "int32")
        places = node.add(elementwise("Mod"), places, extent)
    return node.add(ScatterElements(axis), cache, places, update)


@converter("OneHot")
def one_hot(node: OnnxNode) -> Any:
    """A new axis of ``depth`` elements: the value "on" where an index says, "off" elsewhere."""
    indices, depth, values = node.input(0), int(node.scalar(1)), node.input(2)
    if values.spec.shape != (2,) or not 1 <= depth <= MAX_ELEMENTS:
        raise ModelError(f"depth {depth} of values {values.spec}")
    rank = indices.spec.rank + 1
    axis = normalized(node.integer("axis", -1), rank)
    shape = indices.spec.shape
    column = node.add(Reshape((*shape[:axis], 1, *shape[axis:])), node.add(Cast("int32"), indices))
    zero = node.constant(0, "int32")
    below = node.add(elementwise("Less"), column, zero)
    from_end = node.add(elementwise("Add"), column, node.constant(depth, "int32"))
    wanted = node.add(elementwise("Where"), below, from_end, column)
    numbers = np.arange(depth).reshape(depth, *(1,) * (rank - 1 - axis))
    hot = node.add(elementwise("Equal"), wanted, node.constant(numbers, "int32"))
    off, on = (node.add(Gather(0), values, node.constant(i, "int32")) for i in range(2))
    return node.add(elementwise("Where"), hot, on, off)


@converter("ReverseSequence")
def reverse_sequence(node: OnnxNode) -> Any:
    """The first elements of each batch, as many as its length says, in reverse order."""
    x, lengths = node.input(0), node.input(1)
    time, batch = node.axis("time_axis", 0, x.spec.rank), node.axis("batch_axis", 1, x.spec.rank)
    if {time, batch} != {0, 1} or lengths.spec.shape != (x.spec.shape[batch],):
        raise ModelError(f"lengths {lengths.spec} with axes {time} and {batch} of {x.spec}")
    ones = (1,) * (x.spec.rank - 2)
    row = (-1, 1, *ones) if time == 0 else (1, -1, *ones)
    column = (1, lengths.spec.size, *ones) if time == 0 else (lengths.spec.size, 1, *ones)
    steps = node.constant(np.arange(x.spec.shape[time]).reshape(row), "int32")
    counts = node.add(Reshape(column), node.add(Cast("int32"), lengths))
    inside = node.add(elementwise("Less"), steps, counts)
    last = node.add(elementwise("Sub"), counts, node.constant(1, "int32"))
    mirrored = node.add(elementwise("Sub"), last, steps)
    places = node.add(elementwise("Where"), inside, mirrored, steps)
    return node.add(GatherElements(time), x, node.add(Expand(x.spec.shape), places))


@converter("Compress")
def compress(node: OnnxNode) -> Any:
    """Slices along an axis, or elements of the whole, where a condition is true."""
    x, conditions = node.input(0), node.input(1)
    axis = 0
    if node.has_attribute("axis"):
        axis = node.axis("axis", None, x.spec.rank)
    else:
        x = node.add(Reshape((x.spec.size,)), x)
    return node.add(Compress(axis), x, conditions)


@converter("Unique")
def unique(node: OnnxNode) -> Any:
    x = node.input()
    axis = node.axis("axis", None, x.spec.rank) if node.has_attribute("axis") else None
    return node.add(Unique(axis, node.flag("sorted", True)), x)
