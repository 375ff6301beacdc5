"""Ops that move elements: concatenate, split, slice, pad, transpose, expand, tile, gather."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ModelError, ShapeError
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.ops.concat import Concat
from clnet.ops.depth_to_space import DepthToSpace, SpaceToDepth
from clnet.ops.expand import Expand
from clnet.ops.gather import Gather
from clnet.ops.pad import Pad
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.split import Split
from clnet.ops.tile import Tile
from clnet.ops.transpose import Transpose


@converter("Concat")
def concat(node: OnnxNode) -> Any:
    inputs = node.all_inputs()
    axis = node.axis("axis", 1 if node.opset < 4 else None, inputs[0].spec.rank)
    return inputs[0] if len(inputs) == 1 else node.add(Concat(axis), *inputs)


@converter("Split")
def split(node: OnnxNode) -> Any:
    """Sizes are an attribute, an input, or equal parts of which the last may be smaller."""
    spec = node.input().spec
    axis = node.axis("axis", 0, spec.rank)
    if spec.rank == 0:
        raise ShapeError("a scalar cannot be split")
    sizes = node.integers_at("split", 1, 13)
    if sizes is None:
        parts = node.integer("num_outputs", len(node.outputs))
        if not 1 <= parts <= len(node.outputs):
            raise ModelError(f"num_outputs {parts} with {len(node.outputs)} outputs")
        each = -(-spec.shape[axis] // parts)
        sizes = (each,) * (parts - 1)
        sizes = (*sizes, spec.shape[axis] - sum(sizes))
    if any(s < 0 for s in sizes) or sum(sizes) != spec.shape[axis]:
        raise ShapeError(f"{spec} cannot be split into {list(sizes)} along axis {axis}")
    made = node.add(Split(axis, tuple(sizes)), node.input())
    return made if isinstance(made, tuple) else (made,)


@converter("Slice")
def slice_(node: OnnxNode) -> Any:
    rank = node.input().spec.rank
    starts, ends = node.integers_at("starts", 1, 10), node.integers_at("ends", 2, 10)
    axes = node.integers_at("axes", 3, 10)
    steps = node.integers_of(4) if node.opset >= 10 and node.has(4) else None
    if starts is None or ends is None:
        raise ModelError("starts or ends are missing")
    axes = tuple(range(len(starts))) if axes is None else axes
    axes = tuple(normalized(a, rank) for a in axes)
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) == len(set(axes)):
        raise ModelError("starts, ends, axes and steps are not of one length")
    if any(s == 0 for s in steps) or len(axes) > rank:
        raise ModelError(f"axes {list(axes)} in steps of {list(steps)}")
    return node.add(Slice(starts, ends, axes, steps), node.input())


@converter("Pad")
def pad(node: OnnxNode) -> Any:
    x = node.input()
    rank = x.spec.rank
    given = node.integers_at("pads" if node.opset >= 2 else "paddings", 1, 11)
    axes = node.integers_of(3) if node.opset >= 18 and node.has(3) else range(rank)
    if given is None or len(given) != 2 * len(axes):
        raise ModelError(f"pads {list(given or ())} do not fit {x.spec}")
    pads = [0] * 2 * rank
    for i, axis in enumerate(normalized(a, rank) for a in axes):
        pads[axis], pads[rank + axis] = given[i], given[len(axes) + i]
    mode = node.text("mode", "constant", "reflect", "edge", "wrap")
    value: float = 0
    if node.opset < 11:
        value = node.real("value", 0.0)
    elif node.has(2):
        value = node.scalar(2)
    return node.add(Pad(tuple(pads), mode, value), x)


@converter("Transpose")
def transpose(node: OnnxNode) -> Any:
    rank = node.input().spec.rank
    perm = node.integers("perm", range(rank)[::-1])
    if sorted(perm) != list(range(rank)):
        raise ShapeError(f"perm {list(perm)} of a tensor of rank {rank}")
    return node.input() if perm == tuple(range(rank)) else node.add(Transpose(perm), node.input())


@converter("Expand")
def expand(node: OnnxNode) -> Any:
    x, wanted = node.input(), node.integers_of(1)
    if any(d < 0 for d in wanted):
        raise ShapeError(f"shape {list(wanted)} has a negative dimension")
    shape = np.broadcast_shapes(x.spec.shape, wanted)
    return x if shape == x.spec.shape else node.add(Expand(shape), x)


@converter("Tile")
def tile(node: OnnxNode) -> Any:
    repeats = node.integers_of(1)
    if node.opset < 6:
        repeats = tuple(
            repeats[0] if d == node.scalar(2) else 1 for d in range(node.input().spec.rank)
        )
    if len(repeats) != node.input().spec.rank or any(r < 0 for r in repeats):
        raise ShapeError(f"repeats {list(repeats)} of {node.input().spec}")
    return node.add(Tile(repeats), node.input())


@converter("Gather")
def gather(node: OnnxNode) -> Any:
    axis = node.axis("axis", 0, node.input().spec.rank)
    return node.add(Gather(axis), node.input(0), node.input(1))


@converter("DepthToSpace")
def depth_to_space(node: OnnxNode) -> Any:
    op = DepthToSpace(node.integer("blocksize"), node.text("mode", "DCR", "CRD"))
    return node.add(op, node.input())


@converter("SpaceToDepth")
def space_to_depth(node: OnnxNode) -> Any:
    x, block = node.input(), node.integer("blocksize")
    result = node.add(SpaceToDepth(block), x)
    if node.text("mode", "DCR", "CRD") == "DCR":
        return result
    n, channels, *size = result.spec.shape  # CRD: the block is the channel's inner part
    apart = node.add(Reshape((n, block * block, x.spec.shape[1], *size)), result)
    turned = node.add(Transpose((0, 2, 1, 3, 4)), apart)
    return node.add(Reshape((n, channels, *size)), turned)
