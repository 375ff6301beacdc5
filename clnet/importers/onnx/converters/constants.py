"""Nodes that make constants out of attributes and shapes, and random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.random_numbers import RandomNumbers
from clnet.tensor_spec import TensorSpec

_FORMS: dict[str, tuple[Callable[[OnnxNode, str], Any], str]] = {
    "value_float": (OnnxNode.real, "float32"), "value_floats": (OnnxNode.reals, "float32"),
    "value_int": (OnnxNode.integer, "int64"), "value_ints": (OnnxNode.integers, "int64"),
}  # fmt: skip
#: Elements of a tensor made here.
MAX_ELEMENTS = 16 << 20
#: Bytes of all tensors of one value in a model, and of the largest: the device needs them in full,
#: and the host one at a time, so that they stay below a gigabyte. VGG's weights may be such.
MAX_FILLED_BYTES = 576 << 20
MAX_FILLED_TENSOR_BYTES = 400 << 20


@converter("Constant")
def constant(node: OnnxNode) -> Value:
    if node.has_attribute("value"):
        value = node.constant(node.tensor("value"))
        return node.importer.of_element(value, node.tensor_element("value"))
    for form, (read, dtype) in _FORMS.items():
        if node.has_attribute(form):
            return node.constant(read(node, form), dtype)
    raise UnsupportedError("a constant that is neither numbers nor a dense tensor")


@converter("ConstantOfShape")
def constant_of_shape(node: OnnxNode) -> Value:
    value = node.tensor("value") if node.has_attribute("value") else np.float32(0)
    if value.size != 1:
        raise ModelError(f"value has {value.size} elements instead of one")
    return _filled(node, node.integers_of(0), value.reshape(()))


@converter("Shape")
def shape(node: OnnxNode) -> Value:
    return node.constant(
        _fixed(node.input()).spec.shape[_clip(node, "start", 0) : _clip(node, "end", None)], "int64"
    )


def _clip(node: OnnxNode, name: str, default: int | None) -> int | None:
    return node.integer(name) if node.has_attribute(name) else default


@converter("Size")
def size(node: OnnxNode) -> Value:
    return node.constant(_fixed(node.input()).spec.size, "int64")


def _fixed(value: Value) -> Value:
    if value.varies:
        raise UnsupportedError(f"the size of {value.name}, which only a run can tell")
    return value


@converter("Range")
def range_(node: OnnxNode) -> Value:
    """From the first input in steps of the third up to, not including, the second."""
    first, last, by = (node.scalar(i) for i in range(3))
    if by == 0 or not all(map(math.isfinite, (first, last, by))):
        raise ModelError(f"a range from {first} to {last} in steps of {by}")
    count = max(0, math.ceil((last - first) / by))
    if count > MAX_ELEMENTS:
        raise ModelError(f"a range of {count} elements")
    return node.constant(first + by * np.arange(count), node.input().spec.dtype)


@converter("EyeLike")
def eye_like(node: OnnxNode) -> Value:
    spec = node.input().spec
    if spec.rank != 2 or spec.size > MAX_ELEMENTS:
        raise ModelError(f"{spec} is not a matrix, or too large")
    rows, columns = spec.shape
    ones = np.eye(rows, columns, k=node.integer("k", 0))
    return node.constant(ones, node.dtype("dtype", spec.dtype))


@converter("RandomUniform", "RandomUniformLike", "RandomNormal", "RandomNormalLike")
def random_numbers(node: OnnxNode) -> Any:
    """Others at every run; of a given shape, or of an input's shape and dtype."""
    if node.op_type.endswith("Like"):
        spec = node.input().spec
        shape, dtype = spec.shape, node.dtype("dtype", spec.dtype)
    else:
        shape, dtype = node.integers("shape"), node.dtype("dtype", "float32")
    seed = abs(int(node.real("seed"))) if node.has_attribute("seed") else None
    if "Uniform" in node.op_type:
        limits = node.real("low", 0.0), node.real("high", 1.0)
        return node.add(RandomNumbers(shape, dtype, "uniform", *limits, seed))
    moments = node.real("mean", 0.0), node.real("scale", 1.0)
    return node.add(RandomNumbers(shape, dtype, "normal", *moments, seed))


@converter("Identity")
def identity(node: OnnxNode) -> Value:
    return node.input()


@converter("Dropout")
def dropout(node: OnnxNode) -> Any:
    """Nothing is dropped outside training."""
    if node.has(2) and bool(node.scalar(2)) and not (node.has(1) and node.scalar(1) == 0):
        raise UnsupportedError("dropout in training mode")
    x = node.input()
    mask_dtype = "bool" if node.opset >= 10 else x.spec.dtype
    return x, _filled(node, x.spec.shape, np.ones((), mask_dtype)) if node.wants(1) else None


def _filled(node: OnnxNode, shape: tuple[int, ...], value: np.ndarray) -> Value:
    """A constant of one value, without memory of its own."""
    spec = TensorSpec(shape, value.dtype.name)
    node.importer.filled_bytes += spec.nbytes
    total = node.importer.filled_bytes
    if spec.nbytes > MAX_FILLED_TENSOR_BYTES or total > MAX_FILLED_BYTES:
        raise ModelError(f"a constant {spec}, with {total} bytes of such in all")
    return node.constant(np.broadcast_to(value, spec.shape))
