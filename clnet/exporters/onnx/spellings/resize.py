"""Resize: ONNX's own where all runtimes agree on it, else its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter
from clnet.ops.resize import Resize
from clnet.ops.resize_tables import AxisTable

#: Ways of placing pixels that everybody knows.
_COMMON = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


@spelling(Resize)
def resize(write: NodeWriter) -> str:
    op: Resize = write.op
    shape = write.spec().shape
    images = len(shape) == 4 and op.out_shape[:2] == shape[:2] and 0 not in op.out_shape
    if not images or op.coordinate_mode not in _COMMON or op.antialias or op.exclude_outside:
        return _by_tables(write)
    scales = _scales(op, shape)
    if scales is None:
        return _by_tables(write)
    return write.add(
        "Resize",
        *write.inputs,
        "",
        write.constant(scales, "float32"),
        mode=op.mode,
        coordinate_transformation_mode=op.coordinate_mode,
        nearest_mode=op.nearest_mode if op.mode == "nearest" else None,
        cubic_coeff_a=op.cubic_coeff_a if op.mode == "cubic" else None,
    )


def _scales(op: Resize, shape: Sequence[int]) -> np.ndarray | None:
    """Scales that lead to the right size, whatever the batch; None where rounding forbids it."""
    exact = op.scales or [out / size for out, size in zip(op.out_shape, shape, strict=True)]
    scales = np.asarray(exact, np.float32)
    for rounded in (scales, np.nextafter(scales, np.float32(np.inf))):
        reached = [math.floor(size * float(s)) for size, s in zip(shape, rounded, strict=True)]
        if reached == list(op.out_shape):
            return rounded
        if op.mode == "nearest":
            break  # where the least change may pick another element
    return None


def _by_tables(write: NodeWriter) -> str:
    """Axis by axis: elements picked, or a product with the matrix of their weights."""
    op: Resize = write.op
    shape, dtype = list(write.spec().shape), write.spec().dtype
    (result,) = write.inputs
    for axis, table in op.tables(write.spec().shape).items():
        if op.mode == "nearest":
            result = write.add("Gather", result, write.constant(table.indices[:, 0]), axis=axis)
        else:
            result = _product(write, result, _matrix(table, shape[axis]), axis)
        shape[axis] = op.out_shape[axis]
        if table.outside.any():
            outside = table.outside.reshape([-1] + [1] * (len(shape) - axis - 1))
            value = np.asarray(op.extrapolation_value).astype(dtype)
            result = write.add(
                "Where", write.constant(outside, "bool"), write.constant(value, dtype), result
            )
    return result


def _matrix(table: AxisTable, length: int) -> np.ndarray:
    """[outputs, length]: what each source element adds to each output."""
    matrix = np.zeros((len(table.indices), length))
    np.add.at(matrix, (np.arange(len(matrix))[:, None], table.indices), table.weights)
    return matrix


def _product(write: NodeWriter, x: str, matrix: np.ndarray, axis: int) -> str:
    """The matrix times ``x`` along one of its axes."""
    spec = write.spec()
    if axis == spec.rank - 2:
        return write.add("MatMul", write.constant(matrix, spec.dtype), x)
    turned = write.constant(matrix.T, spec.dtype)
    if axis == spec.rank - 1:
        return write.add("MatMul", x, turned)
    perm = [*range(spec.rank)]
    perm[axis], perm[-1] = perm[-1], perm[axis]
    product = write.add("MatMul", write.add("Transpose", x, perm=perm), turned)
    return write.add("Transpose", product, perm=perm)
