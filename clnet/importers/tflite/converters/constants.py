"""Operators that make constants out of shapes and numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.tflite.node import TfliteNode, normalized
from clnet.importers.tflite.registry import converter
from clnet.ops.expand import Expand
from clnet.ops.reshape import Reshape
from clnet.tensor_spec import TensorSpec

#: Elements of a tensor made here.
MAX_ELEMENTS = 16 << 20


@converter("SHAPE")
def shape(node: TfliteNode) -> Value:
    return node.constant(node.input().spec.shape, node.importer.dtype(node.operator.outputs[0]))


@converter("RANK")
def rank(node: TfliteNode) -> Value:
    return node.constant(node.input().spec.rank, "int32")


@converter("BROADCAST_ARGS")
def broadcast_shape(node: TfliteNode) -> Value:
    shape = np.broadcast_shapes(node.integers_of(0), node.integers_of(1))
    return node.constant(shape, node.importer.dtype(node.operator.outputs[0]))


@converter("FILL")
def fill(node: TfliteNode) -> Any:
    value = node.input(1)
    if value.spec.size != 1:
        raise ModelError(f"filled with {value.spec}, which is not one value")
    wanted = TensorSpec(node.integers_of(0), value.spec.dtype).shape
    return node.add(Expand(wanted), node.add(Reshape((1,) * len(wanted)), value))


@converter("ZEROS_LIKE")
def zeros_like(node: TfliteNode) -> Value:
    spec = node.input().spec
    return node.constant(np.broadcast_to(np.zeros((), spec.dtype), spec.shape))


@converter("RANGE")
def range_(node: TfliteNode) -> Value:
    """From the first input in steps of the third up to, not including, the second."""
    first, last, by = (node.scalar(i) for i in range(3))
    if by == 0 or not all(map(math.isfinite, (first, last, by))):
        raise ModelError(f"a range from {first} to {last} in steps of {by}")
    count = max(0, math.ceil((last - first) / by))
    if count > MAX_ELEMENTS:
        raise ModelError(f"a range of {count} elements")
    return node.constant(first + by * np.arange(count), node.array(0).dtype.name)


@converter("ONE_HOT")
def one_hot(node: TfliteNode) -> Any:
    """Input 2 where the index says, input 3 elsewhere, along a new axis of input 1 elements."""
    indices, depth = node.input(0), int(node.scalar(1))
    rank = indices.spec.rank
    axis = normalized(node.option("Axis", -1), rank + 1)
    if not 0 <= depth <= MAX_ELEMENTS:
        raise ModelError(f"{depth} classes")
    wanted = indices.spec.shape
    spread = node.add(Reshape((*wanted[:axis], 1, *wanted[axis:])), indices)
    places = np.arange(depth).reshape([-1 if d == axis else 1 for d in range(rank + 1)])
    hot = node.apply("Equal", spread, node.constant(places, indices.spec.dtype))
    return node.apply("Where", hot, node.input(2), node.input(3))
