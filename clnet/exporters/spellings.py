"""How ONNX says those ops whose attributes are more than other names for the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from clnet.errors import UnsupportedError
from clnet.graph import Node
from clnet.ops.cast import Cast
from clnet.ops.concat import Concat
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.depth_to_space import DepthToSpace, SpaceToDepth
from clnet.ops.dropout import Dropout
from clnet.ops.elementwise import Elementwise
from clnet.ops.expand import Expand
from clnet.ops.gather import Gather
from clnet.ops.pad import Pad
from clnet.ops.pooling import AveragePool, MaxPool
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.resize import Resize
from clnet.ops.slice import Slice
from clnet.ops.split import Split
from clnet.ops.tile import Tile
from clnet.ops.transpose import Transpose

#: An ONNX op type, its attributes, and constants that follow the node's own inputs.
Spelling = tuple[str, dict[str, Any], list[np.ndarray]]


def _elementwise(node: Node) -> Spelling:
    if len(node.op.expression.steps) != 1:
        raise UnsupportedError(f"{node.op.label}, fused", node=node.name)
    (step,) = node.op.expression.steps
    params = dict(step.params)
    if step.function in ("Scale", "Shift"):  # by a constant
        (number,) = params.values()
        return {"Scale": "Mul", "Shift": "Add"}[step.function], {}, [np.float32(number)]
    if step.function == "Clip":
        dtype = node.output.spec.dtype
        return "Clip", {}, [np.asarray(params[limit], dtype) for limit in ("min", "max")]
    return step.function, {a: params[p] for a, p in step.row.onnx.items()}, []


def _reshape(node: Node) -> Spelling:
    (x,) = node.inputs
    assert x is not None
    shape = node.op.shape
    same_batch = bool(shape and x.spec.shape and shape[0] == x.spec.shape[0])
    if same_batch and len(shape) == 2:
        return "Flatten", {"axis": 1}, []
    return "Reshape", {}, [np.array([0, *shape[1:]] if same_batch else shape, np.int64)]


def _windows(op: Any) -> dict[str, Any]:
    return {"strides": op.strides, "pads": op.pads, "dilations": op.dilations}


def _conv(node: Node) -> Spelling:
    kernel = node.inputs[1]
    assert kernel is not None
    attributes = {"kernel_shape": kernel.spec.shape[2:], "group": node.op.groups}
    if isinstance(node.op, ConvTranspose) and node.op.output_padding:
        attributes["output_padding"] = node.op.output_padding
    return type(node.op).__name__, attributes | _windows(node.op), []


def _pool(node: Node) -> Spelling:
    op = node.op
    attributes = {"kernel_shape": op.kernel, "ceil_mode": op.ceil_mode, **_windows(op)}
    if isinstance(op, MaxPool):
        return "MaxPool", attributes | {"storage_order": op.storage_order}, []
    if set(op.dilations) == {1}:
        del attributes["dilations"]  # which AveragePool has only since opset 19
    return "AveragePool", attributes | {"count_include_pad": op.count_include_pad}, []


def _reduce(node: Node) -> Spelling:
    op = node.op
    attributes: dict[str, Any] = {"keepdims": op.keepdims}
    if op.function == "Sum":  # the first whose axes became an input
        return "ReduceSum", attributes, [np.array(op.axes, np.int64)]
    return f"Reduce{op.function}", {**attributes, "axes": op.axes}, []


def _resize(node: Node) -> Spelling:
    """By scales, which say nothing of the batch."""
    (x,) = node.inputs
    op = node.op
    assert x is not None
    shapes = zip(node.output.spec.shape, x.spec.shape, strict=True)
    scales = np.array(op.scales or [after / before for after, before in shapes], np.float32)
    reached = [math.floor(d * float(f)) for d, f in zip(x.spec.shape, scales, strict=True)]
    if op.roi or op.antialias or reached != list(node.output.spec.shape):
        raise UnsupportedError("a Resize that is not by whole scales", node=node.name)
    attributes = {
        "mode": op.mode,
        "coordinate_transformation_mode": op.coordinate_mode,
        "nearest_mode": op.nearest_mode,
        "cubic_coeff_a": op.cubic_coeff_a,
        "exclude_outside": op.exclude_outside,
    }
    return "Resize", attributes, [np.zeros(0, np.float32), scales]


def _slice(node: Node) -> Spelling:
    op = node.op
    axes = op.axes or tuple(range(len(op.starts)))
    steps = op.steps or (1,) * len(op.starts)
    return "Slice", {}, [np.array(v, np.int64) for v in (op.starts, op.ends, axes, steps)]


def _pad(node: Node) -> Spelling:
    op = node.op
    value = np.asarray(op.value, node.output.spec.dtype)
    return "Pad", {"mode": op.mode}, [np.array(op.pads, np.int64), value]


def _expand(node: Node) -> Spelling:
    shape = node.op.shape  # one says: as large as the input
    (x,) = node.inputs
    assert x is not None
    kept = [1 if d == s else d for d, s in zip(shape[-x.spec.rank :], x.spec.shape, strict=False)]
    return "Expand", {}, [np.array([*shape[: len(shape) - len(kept)], *kept], np.int64)]


def _cast(node: Node) -> Spelling:
    return "Cast", {"to": helper.np_dtype_to_tensor_dtype(np.dtype(node.op.dtype))}, []


def _blocks(node: Node) -> Spelling:
    mode = {"mode": node.op.mode} if isinstance(node.op, DepthToSpace) else {}
    return type(node.op).__name__, {"blocksize": node.op.blocksize, **mode}, []


SPECIAL: dict[type, Callable[[Node], Spelling]] = {
    Conv: _conv,
    ConvTranspose: _conv,
    MaxPool: _pool,
    AveragePool: _pool,
    Reshape: _reshape,
    Elementwise: _elementwise,
    Reduce: _reduce,
    Resize: _resize,
    Slice: _slice,
    Pad: _pad,
    Expand: _expand,
    Cast: _cast,
    DepthToSpace: _blocks,
    SpaceToDepth: _blocks,
    Concat: lambda node: ("Concat", {"axis": node.op.axis}, []),
    Transpose: lambda node: ("Transpose", {"perm": node.op.perm}, []),
    Gather: lambda node: ("Gather", {"axis": node.op.axis}, []),
    Split: lambda node: ("Split", {"axis": node.op.axis}, [np.array(node.op.sizes, np.int64)]),
    Tile: lambda node: ("Tile", {}, [np.array(node.op.repeats, np.int64)]),
    Dropout: lambda node: ("Dropout", {}, [np.float32(node.op.ratio)]),
}
