"""Fourier transforms, as products with matrices of waves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.ops.conv import Conv
from clnet.ops.gemm import MatMul
from clnet.ops.pad import Pad
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.transpose import Transpose

#: Elements of a matrix of waves: beyond, fast transforms would be needed.
MAX_ELEMENTS = 32 << 20


def _waves(length: int, bins: int, sign: int) -> np.ndarray:
    """[length, parts in, bins, parts out]: exp(sign * 2 pi i n k / length) as multiplication of
    complex numbers, which are pairs."""
    if 4 * length * bins > MAX_ELEMENTS:
        raise UnsupportedError(f"a Fourier transform of {length} elements")
    turns = np.outer(np.arange(length), np.arange(bins)) % length
    angles = sign * 2 * np.pi * turns / length
    cos, sin = np.cos(angles), np.sin(angles)
    return np.array([[cos, sin], [-sin, cos]]).transpose(2, 0, 3, 1)


@converter("DFT")
def fourier_transform(node: OnnxNode) -> Any:
    """Along an axis of real or complex numbers; the last axis holds their parts."""
    x = node.input()
    rank = x.spec.rank
    if rank < 2 or x.spec.shape[-1] not in (1, 2):
        raise ModelError(f"{x.spec} holds neither real nor complex numbers")
    given = node.integer("axis", 1) if node.opset < 20 else (
        int(node.scalar(2)) if node.has(2) else -2
    )  # fmt: skip
    axis = normalized(given, rank)
    if axis == rank - 1:
        raise ModelError(f"axis {axis} holds the parts of numbers")
    onesided, inverse = node.flag("onesided"), node.flag("inverse")
    length = int(node.scalar(1)) if node.has(1) else x.spec.shape[axis]
    to_real = onesided and inverse
    if to_real and not node.has(1):
        length = 2 * (x.spec.shape[axis] - 1)
    if length < 1:
        raise ModelError(f"a transform of length {length}")
    taken = length // 2 + 1 if to_real else length
    x = _of_length(node, x, axis, taken)
    parts = x.spec.shape[-1]
    others = [a for a in range(rank - 1) if a != axis]
    turned = node.add(Transpose((*others, axis, rank - 1)), x)
    leading = tuple(x.spec.shape[a] for a in others)
    rows = node.add(Reshape((math.prod(leading), taken * parts)), turned)
    bins = length // 2 + 1 if onesided and not inverse else length
    matrix = _matrix(length, taken, parts, bins, inverse, to_real)
    made = 1 if to_real else 2
    product = node.add(MatMul(), rows, node.constant(matrix, x.spec.dtype))
    apart = node.add(Reshape((*leading, bins, made)), product)
    back = [*range(axis), rank - 2, *range(axis, rank - 2), rank - 1]
    return node.add(Transpose(tuple(back)), apart)


def _matrix(
    length: int, taken: int, parts: int, bins: int, inverse: bool, to_real: bool
) -> np.ndarray:
    """From rows of ``taken`` numbers of so many parts to ``bins`` complex or real ones."""
    waves = _waves(length, bins, 1 if inverse else -1)[:taken, :parts]
    if inverse:
        waves = waves / length
    if to_real:  # the other half is the mirror image, and only real parts remain
        twice = np.full((taken, 1, 1, 1), 2.0)
        twice[0] = 1
        if length % 2 == 0:
            twice[-1] = 1
        waves = (waves * twice)[..., :1]
    return waves.reshape(taken * parts, -1)


def _of_length(node: OnnxNode, x: Value, axis: int, length: int) -> Value:
    """The first elements of an axis, or zeros behind them."""
    extent = x.spec.shape[axis]
    if extent == length:
        return x
    if extent > length:
        result: Value = node.add(Slice((0,), (length,), (axis,)), x)
        return result
    pads = [0] * 2 * x.spec.rank
    pads[x.spec.rank + axis] = length - extent
    result = node.add(Pad(tuple(pads)), x)
    return result


@converter("STFT")
def short_time_fourier_transform(node: OnnxNode) -> Any:
    """Of windows at regular distances: a convolution with waves."""
    x, step = node.input(0), int(node.scalar(1))
    if x.spec.rank == 2:
        x = node.add(Reshape((*x.spec.shape, 1)), x)
    if x.spec.rank != 3 or x.spec.shape[2] not in (1, 2):
        raise ModelError(f"the signal {x.spec}")
    window = node.array(2).astype(np.float64) if node.has(2) else None
    if window is None and not node.has(3):
        raise ModelError("neither a window nor its length")
    length = int(node.scalar(3)) if node.has(3) else len(window if window is not None else ())
    if window is None:
        window = np.ones(length)
    if window.shape != (length,) or not 1 <= length <= x.spec.shape[1] or step < 1:
        raise ModelError(f"windows of {length} elements, {step} apart, of {x.spec}")
    parts = x.spec.shape[2]
    bins = length // 2 + 1 if node.flag("onesided", True) else length
    waves = _waves(length, bins, -1)[:, :parts] * window.reshape(-1, 1, 1, 1)
    weights = waves.transpose(2, 3, 1, 0).reshape(bins * 2, parts, length)
    signal = node.add(Transpose((0, 2, 1)), x)
    op = Conv((step,), (0, 0), (1,), 1)
    y = node.add(op, signal, node.constant(weights, x.spec.dtype), None)
    turned = node.add(Transpose((0, 2, 1)), y)
    return node.add(Reshape((x.spec.shape[0], y.spec.shape[2], bins, 2)), turned)


@converter("MelWeightMatrix")
def mel_weights(node: OnnxNode) -> Any:
    """Triangles over the bins of a spectrum, as wide as pitches are apart to the ear."""
    count, length, rate = (int(node.scalar(i)) for i in range(3))
    low, high = (float(node.scalar(i)) for i in (3, 4))
    bins = length // 2 + 1
    if min(count, length, rate) < 1 or count * bins > MAX_ELEMENTS or not 0 <= low < high:
        raise ModelError(f"{count} bands of {low} to {high} Hz over {bins} bins")
    pitch = 2595 * np.log10(1 + np.array([low, high]) / 700)
    pitches = pitch[0] + np.arange(count + 2) * (pitch[1] - pitch[0]) / (count + 2)
    edges = ((length + 1) * 700 * (10 ** (pitches / 2595) - 1) // rate).astype(int)
    if edges[-1] > bins:
        raise ModelError(f"{high} Hz of a signal of {rate} samples a second")
    weights = np.zeros((bins, count))
    for i, (first, top, last) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        up, down = np.arange(first, top + 1), np.arange(top, last)
        if top > first:
            weights[up, i] = (up - first) / (top - first)
        else:
            weights[top, i] = 1
        if last > top:
            weights[down, i] = (last - down) / (last - top)
    return node.constant(weights, node.dtype("output_datatype", "float32"))
