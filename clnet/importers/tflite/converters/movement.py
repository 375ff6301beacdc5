"""Operators that join, repeat, pad and permute."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ModelError
from clnet.graph import Value
from clnet.importers.tflite.node import TfliteNode, normalized
from clnet.importers.tflite.registry import ALL, converter
from clnet.ops.concat import Concat
from clnet.ops.depth_to_space import DepthToSpace, SpaceToDepth
from clnet.ops.expand import Expand
from clnet.ops.gather import Gather
from clnet.ops.pad import Pad
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.tile import Tile


@converter("CONCATENATION", linear=(ALL,), exact=True)
def concatenation(node: TfliteNode) -> Any:
    inputs = node.all_inputs()
    axis = normalized(node.option("Axis"), inputs[0].spec.rank)
    return inputs[0] if len(inputs) == 1 else node.add(Concat(axis), *inputs)


@converter("PACK", linear=(ALL,), exact=True)
def pack(node: TfliteNode) -> Any:
    """Joined along a new axis."""
    inputs = node.all_inputs()
    shape = inputs[0].spec.shape
    axis = normalized(node.option("Axis", 0), len(shape) + 1)
    wider = Reshape((*shape[:axis], 1, *shape[axis:]))
    parts = [node.add(wider, v) for v in inputs]
    return parts[0] if len(parts) == 1 else node.add(Concat(axis), *parts)


@converter("PAD", linear=(0,), exact=True)
def pad(node: TfliteNode) -> Any:
    return node.add(Pad(_paddings(node)), node.input())


@converter("PADV2")
def pad_with_value(node: TfliteNode) -> Any:
    value = node.input(2)
    if value.spec.size != 1 or value.data is None:
        raise ModelError(f"padded with {value.spec}, which is not one constant value")
    return node.add(Pad(_paddings(node), value=value.data.reshape(-1)[0].item()), node.input())


@converter("MIRROR_PAD", linear=(0,), exact=True)
def mirror_pad(node: TfliteNode) -> Any:
    """REFLECT leaves out the border itself; SYMMETRIC repeats it, which is a Gather per axis."""
    x, pads = node.input(), _paddings(node)
    reflects = node.choice("Mode", ("REFLECT", "SYMMETRIC")) == "REFLECT"
    rank = x.spec.rank
    for axis, (before, after) in enumerate(zip(pads[:rank], pads[rank:], strict=True)):
        length = x.spec.shape[axis]
        if max(before, after) > length - reflects:
            raise ModelError(f"a padding of {max(before, after)} mirrors {length} elements")
        if (before or after) and not reflects:
            places = np.arange(-before, length + after) % (2 * length)
            places = np.minimum(places, 2 * length - 1 - places)
            x = node.add(Gather(axis), x, node.constant(places, "int32"))
    return node.add(Pad(pads, "reflect"), x) if reflects else x


def _paddings(node: TfliteNode) -> tuple[int, ...]:
    """Begins, then ends, out of a constant [rank, 2]."""
    rank = node.input().spec.rank
    pads = node.array(1)
    if pads.shape != (rank, 2) or pads.dtype.kind != "i" or pads.min(initial=0) < 0:
        raise ModelError(f"paddings {list(pads.shape)} for rank {rank}, or negative ones")
    return (*map(int, pads[:, 0]), *map(int, pads[:, 1]))


@converter("TRANSPOSE", linear=(0,), exact=True)
def transpose(node: TfliteNode) -> Any:
    rank = node.input().spec.rank
    return node.transposed(node.input(), [normalized(a, rank) for a in node.integers_of(1)])


@converter("TILE", linear=(0,), exact=True)
def tile(node: TfliteNode) -> Any:
    return node.add(Tile(node.integers_of(1)), node.input())


@converter("BROADCAST_TO", linear=(0,), exact=True)
def broadcast_to(node: TfliteNode) -> Any:
    x, wanted = node.input(), node.integers_of(1)
    if np.broadcast_shapes(x.spec.shape, wanted) != wanted:
        raise ModelError(f"{x.spec} does not broadcast to {list(wanted)}")
    return node.add(Expand(wanted), x)


@converter("REVERSE_V2", linear=(0,), exact=True)
def reverse(node: TfliteNode) -> Any:
    x = node.input()
    axes = tuple({normalized(a, x.spec.rank) for a in node.integers_of(1)})
    backwards = (-1,) * len(axes), tuple(-x.spec.shape[a] - 1 for a in axes)
    return node.add(Slice(*backwards, axes, (-1,) * len(axes)), x)


@converter("SPACE_TO_DEPTH", linear=(0,), exact=True)
def space_to_depth(node: TfliteNode) -> Any:
    return node.nhwc(node.add(SpaceToDepth(node.option("BlockSize")), node.nchw(node.image())))


@converter("DEPTH_TO_SPACE", linear=(0,), exact=True)
def depth_to_space(node: TfliteNode) -> Any:
    return node.nhwc(node.add(DepthToSpace(node.option("BlockSize")), node.nchw(node.image())))


@converter("SPACE_TO_BATCH_ND", linear=(0,), exact=True)
def space_to_batch(node: TfliteNode) -> Any:
    """Padded, then each position within the blocks becomes an image of its own."""
    x = node.input()
    blocks, borders = _blocks(node)
    n, rest = len(blocks), x.spec.rank - 1 - len(blocks)
    pads = (0, *(b for b, _ in borders), *(0,) * rest, 0, *(e for _, e in borders), *(0,) * rest)
    x = node.add(Pad(pads), x) if any(pads) else x
    batch, *sizes = x.spec.shape[: n + 1]
    others = x.spec.shape[n + 1 :]
    if any(s % b for s, b in zip(sizes, blocks, strict=True)):
        raise ModelError(f"{sizes} does not divide into blocks of {list(blocks)}")
    counts = [s // b for s, b in zip(sizes, blocks, strict=True)]
    split = (batch, *(d for pair in zip(counts, blocks, strict=True) for d in pair), *others)
    inner, outer = range(2, 2 * n + 1, 2), range(1, 2 * n, 2)
    perm = (*inner, 0, *outer, *range(2 * n + 1, len(split)))
    y = node.transposed(node.add(Reshape(split), x), perm)
    return node.add(Reshape((batch * int(np.prod(blocks)), *counts, *others)), y)


@converter("BATCH_TO_SPACE_ND", linear=(0,), exact=True)
def batch_to_space(node: TfliteNode) -> Any:
    """The inverse: images become positions within blocks, then the borders are cut off."""
    x = node.input()
    blocks, crops = _blocks(node)
    n, total = len(blocks), int(np.prod(blocks))
    images, *counts = x.spec.shape[: n + 1]
    others = x.spec.shape[n + 1 :]
    if images % total:
        raise ModelError(f"{images} images are no blocks of {list(blocks)}")
    split = (*blocks, images // total, *counts, *others)
    pairs = (d for i in range(n) for d in (n + 1 + i, i))
    perm = (n, *pairs, *range(2 * n + 1, len(split)))
    y: Value = node.transposed(node.add(Reshape(split), x), perm)
    sizes = [c * b for c, b in zip(counts, blocks, strict=True)]
    y = node.add(Reshape((images // total, *sizes, *others)), y)
    ends = tuple(s - e for s, (_, e) in zip(sizes, crops, strict=True))
    begins = tuple(b for b, _ in crops)
    if any(b > e for b, e in zip(begins, ends, strict=True)):
        raise ModelError(f"crops {crops} leave nothing of {sizes}")
    return node.add(Slice(begins, ends, tuple(range(1, n + 1))), y)


def _blocks(node: TfliteNode) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """The blocks' extents, and what is padded or cropped before and behind each dimension."""
    blocks, borders = node.integers_of(1), node.array(2)
    rank = node.input().spec.rank
    fits = borders.shape == (len(blocks), 2) and borders.dtype.kind == "i" and len(blocks) < rank
    if not fits or min(blocks, default=1) < 1 or borders.min(initial=0) < 0:
        raise ModelError(f"blocks {list(blocks)} and borders {list(borders.shape)} do not fit")
    return blocks, [(int(b), int(e)) for b, e in borders]
