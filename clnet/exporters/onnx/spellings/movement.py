"""Ops that move elements, or give them another shape or dtype."""

from __future__ import annotations

import numpy as np

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter
from clnet.ops.cast import Cast
from clnet.ops.concat import Concat
from clnet.ops.depth_to_space import DepthToSpace, SpaceToDepth
from clnet.ops.dropout import Dropout
from clnet.ops.expand import Expand
from clnet.ops.gather import Gather
from clnet.ops.pad import Pad
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.split import Split
from clnet.ops.tile import Tile
from clnet.ops.transpose import Transpose


@spelling(Reshape)
def reshape(write: NodeWriter) -> str:
    """By a 0 where the first dimension stays, so that it holds for other batch sizes too."""
    old, new = write.spec().shape, write.op.shape
    same_batch = bool(old and new and old[0] == new[0])
    if same_batch and len(new) == 2 and 0 not in new:
        return write.add("Flatten", *write.inputs, axis=1)
    target = [0, *new[1:]] if same_batch and 0 not in new else new
    return write.add("Reshape", *write.inputs, write.constant(target), allowzero=int(0 in new))


@spelling(Transpose)
def transpose(write: NodeWriter) -> str:
    return write.add("Transpose", *write.inputs, perm=write.op.perm)


@spelling(Cast)
def cast(write: NodeWriter) -> str:
    return write.cast(write.inputs[0], write.op.dtype)


@spelling(Dropout)
def dropout(write: NodeWriter) -> str:
    """As it is outside training."""
    if len(write.inputs) > 1:
        raise write.unsupported("Dropout of a training step")
    return write.add("Dropout", *write.inputs, write.constant(write.op.ratio, "float32"))


@spelling(Concat)
def concat(write: NodeWriter) -> str:
    return write.add("Concat", *write.inputs, axis=write.op.axis)


@spelling(Split)
def split(write: NodeWriter) -> tuple[str, ...]:
    sizes = write.op.sizes
    return write.add_several(
        len(sizes), "Split", *write.inputs, write.constant(sizes), axis=write.op.axis
    )


@spelling(Slice)
def slice_(write: NodeWriter) -> str:
    op = write.op
    axes, steps = op.axes or range(len(op.starts)), op.steps or (1,) * len(op.starts)
    limits = map(write.constant, (op.starts, op.ends, axes, steps))
    return write.add("Slice", *write.inputs, *limits)


@spelling(Expand)
def expand(write: NodeWriter) -> str:
    """To 1 where a dimension stays, so that it holds for other batch sizes too."""
    shape, old = write.op.shape, write.spec().shape
    kept = [1 if d == s else d for d, s in zip(shape[-len(old) :], old, strict=False)]
    target = [*shape[: len(shape) - len(kept)], *kept] if len(shape) >= len(old) else shape
    return write.add("Expand", *write.inputs, write.constant(target))


@spelling(Tile)
def tile(write: NodeWriter) -> str:
    return write.add("Tile", *write.inputs, write.constant(write.op.repeats))


@spelling(Gather)
def gather(write: NodeWriter) -> str:
    return write.add("Gather", *write.inputs, axis=write.op.axis)


@spelling(Pad)
def pad(write: NodeWriter) -> str:
    """ONNX reflects once and repeats never; what goes on is gathered, axis by axis."""
    op, x = write.op, write.spec()
    if op.mode == "constant":
        value = write.constant(np.asarray(op.value).astype(x.dtype), x.dtype)
        return write.add("Pad", *write.inputs, write.constant(op.pads), value)
    if op.mode == "edge" and min(op.pads, default=0) >= 0:
        return write.add("Pad", *write.inputs, write.constant(op.pads), mode=op.mode)
    result = write.inputs[0]
    for axis, size in enumerate(x.shape):
        if op.before[axis] or op.after[axis]:
            result = write.add("Gather", result, write.constant(op.sources(axis, size)), axis=axis)
    return result


@spelling(DepthToSpace)
def depth_to_space(write: NodeWriter) -> str:
    op = write.op
    return write.add("DepthToSpace", *write.inputs, blocksize=op.blocksize, mode=op.mode)


@spelling(SpaceToDepth)
def space_to_depth(write: NodeWriter) -> str:
    return write.add("SpaceToDepth", *write.inputs, blocksize=write.op.blocksize)
