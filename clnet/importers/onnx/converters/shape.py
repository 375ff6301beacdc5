"""Ops that only give the same elements another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clnet.errors import ModelError, ShapeError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.ops.reshape import Reshape


def reshaped(node: OnnxNode, shape: Sequence[int]) -> Value:
    """The first input in another shape; itself where it has that shape already."""
    x = node.input()
    result: Value = x if x.spec.shape == tuple(shape) else node.add(Reshape(tuple(shape)), x)
    return result


@converter("Reshape")
def reshape(node: OnnxNode) -> Value:
    """0 keeps a dimension (unless allowzero), one -1 takes what is left."""
    spec = node.input().spec
    wanted = list(node.integers_of(1) if node.opset >= 5 else node.integers("shape"))
    if not node.flag("allowzero"):
        if any(d == 0 and i >= spec.rank for i, d in enumerate(wanted)):
            raise ShapeError(f"{spec} cannot be reshaped to {wanted}")
        wanted = [spec.shape[i] if d == 0 else d for i, d in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = -math.prod(wanted)
        if rest == 0 or spec.size % rest:
            raise ShapeError(f"{spec} cannot be reshaped to {wanted}")
        wanted[wanted.index(-1)] = spec.size // rest
    if any(d < 0 for d in wanted) or math.prod(wanted) != spec.size:
        raise ShapeError(f"{spec} cannot be reshaped to {wanted}")
    return reshaped(node, wanted)


@converter("Flatten")
def flatten(node: OnnxNode) -> Value:
    shape = node.input().spec.shape
    axis = node.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise ModelError(f"axis {axis} of a tensor of rank {len(shape)}")
    axis += len(shape) if axis < 0 else 0
    return reshaped(node, (math.prod(shape[:axis]), math.prod(shape[axis:])))


@converter("Squeeze")
def squeeze(node: OnnxNode) -> Value:
    shape = node.input().spec.shape
    given = node.integers_at("axes", 1, 13)
    if given is None:
        return reshaped(node, [d for d in shape if d != 1])
    axes = {normalized(a, len(shape)) for a in given}
    if any(shape[a] != 1 for a in axes if a < len(shape)):
        raise ShapeError(f"axes {sorted(axes)} of {list(shape)} are not all 1")
    return reshaped(node, [d for i, d in enumerate(shape) if i not in axes])


@converter("Unsqueeze")
def unsqueeze(node: OnnxNode) -> Value:
    given = node.integers_at("axes", 1, 13)
    if given is None:
        raise ModelError("axes are missing")
    shape = node.input().spec.shape
    rank = len(shape) + len(given)
    axes = {normalized(a, rank) for a in given}
    if len(axes) < len(given):
        raise ModelError(f"axes {list(given)} name one twice")
    old = iter(shape)
    return reshaped(node, [1 if i in axes else next(old) for i in range(rank)])
