"""Elements picked by index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.tflite.node import TfliteNode, normalized
from clnet.importers.tflite.registry import converter
from clnet.ops.gather import Gather
from clnet.ops.lowering import strides_of
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape


@converter("GATHER", linear=(0,), exact=True)
def gather(node: TfliteNode) -> Any:
    """Along an axis; the first ``batch_dims`` dimensions of x and indices belong together."""
    x, indices = node.input(0), node.input(1)
    axis = normalized(node.option("Axis", 0), x.spec.rank)
    batch = node.option("BatchDims", 0)
    batch += indices.spec.rank if batch < 0 else 0
    if not batch:
        return node.add(Gather(axis), x, indices)
    shape, places = x.spec.shape, indices.spec.shape
    if not 0 <= batch <= min(axis, len(places)) or shape[:batch] != places[:batch]:
        raise ModelError(f"{batch} common dimensions of {x.spec} and {indices.spec}")
    if batch != axis:
        raise UnsupportedError(f"batch_dims {batch} with axis {axis}")
    count, length = math.prod(shape[:batch]), shape[axis]
    base = (np.arange(count) * length).reshape(shape[:batch] + (1,) * (len(places) - batch))
    places_in_all = node.apply("Add", indices, node.constant(base, indices.spec.dtype))
    flat = node.add(Reshape((count * length, *shape[axis + 1 :])), x)
    return node.add(Gather(0), flat, places_in_all)


@converter("GATHER_ND", linear=(0,), exact=True)
def gather_nd(node: TfliteNode) -> Any:
    """The last dimension of the indices lists coordinates in x's first dimensions."""
    x, indices = node.input(0), node.input(1)
    if not indices.spec.rank or indices.spec.shape[-1] > x.spec.rank:
        raise ModelError(f"coordinates {indices.spec} in {x.spec}")
    depth = indices.spec.shape[-1]
    steps = node.constant(strides_of(x.spec.shape[:depth]), indices.spec.dtype)
    scaled = node.apply("Mul", indices, steps)
    places = node.add(Reduce("Sum", (indices.spec.rank - 1,), False), scaled)
    rows = Reshape((math.prod(x.spec.shape[:depth]), *x.spec.shape[depth:]))
    return node.add(Gather(0), node.add(rows, x), places)


@converter("EMBEDDING_LOOKUP", linear=(1,), exact=True)
def embedding_lookup(node: TfliteNode) -> Any:
    """Rows of input 1 by the numbers in input 0."""
    return node.add(Gather(0), node.input(1), node.input(0))
