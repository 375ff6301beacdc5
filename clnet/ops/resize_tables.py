"""Which source elements each element of a resized axis is made of, and with what weights.

Follows ONNX's definition of Resize (operator set 19): axes are independent of each other, so one
table per axis says all. Outside the tensor the border repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clnet.errors import ShapeError


@dataclass(frozen=True)
class Sampling:
    """How a resize samples, in ONNX's words."""

    mode: str = "nearest"
    coordinate_mode: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


@dataclass(frozen=True)
class AxisTable:
    """``indices`` and ``weights`` [outputs, taps]; ``outside`` marks outputs to be extrapolated."""

    indices: np.ndarray
    weights: np.ndarray
    outside: np.ndarray


def transposed(table: AxisTable, length: int) -> AxisTable:
    """The table of the way back: which outputs, with what weights, each of the axis' ``length``
    elements went into. Rows are filled up with weights of zero."""
    outputs = np.repeat(np.arange(len(table.indices)), table.indices.shape[1])
    sources, weights = table.indices.ravel(), table.weights.ravel()
    used = (weights != 0) & ~table.outside[outputs]
    order = np.flatnonzero(used)[np.argsort(sources[used], kind="stable")]
    counts = np.bincount(sources[order], minlength=length)
    taps = max(1, int(counts.max()))
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    back = AxisTable(
        np.zeros((length, taps), np.int64), np.zeros((length, taps)), np.zeros(length, bool)
    )
    back.indices[sources[order], place] = outputs[order]
    back.weights[sources[order], place] = weights[order]
    return back


def axis_table(
    length: int, outputs: int, scale: float, roi: tuple[float, float], sampling: Sampling
) -> AxisTable:
    """The table of an axis of ``length`` elements that becomes ``outputs``, ``scale`` times as
    many but for rounding. ``roi`` is the part that tf_crop_and_resize maps, in [0, 1]."""
    x = _coordinates(length, outputs, scale, roi, sampling.coordinate_mode)
    outside = np.zeros(outputs, bool)
    if sampling.coordinate_mode == "tf_crop_and_resize":
        outside = (x < 0) | (x > length - 1)
    if sampling.mode == "nearest":
        indices, weights = _nearest(x, sampling.nearest_mode), np.ones((outputs, 1))
    else:
        # The element left of x; at an element itself the one before, so that 0 < fraction <= 1.
        left = np.ceil(x) - 1
        fraction = x - left
        shrink = min(scale, 1.0) if sampling.antialias else 1.0
        if sampling.mode == "linear":
            offsets, weights = _kernel(_triangle, 1, fraction, shrink)
        else:
            a = sampling.cubic_coeff_a
            offsets, weights = _kernel(lambda t: _cubic(t, a), 2, fraction, shrink)
        indices = left[:, None].astype(np.int64) + offsets
    if sampling.exclude_outside:
        weights = np.where((indices < 0) | (indices >= length), 0, weights)
    total = weights.sum(1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    return AxisTable(indices.clip(0, length - 1), weights, outside)


def _coordinates(
    length: int, outputs: int, scale: float, roi: tuple[float, float], mode: str
) -> np.ndarray:
    """Where each output lies on the source's axis."""
    y = np.arange(outputs, dtype=np.float64)
    exact = scale * length  # the output's length before rounding
    if mode == "half_pixel":
        return (y + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return (y + 0.5) / scale - 0.5 if exact != 1 else np.full(outputs, -0.5)
    if mode == "half_pixel_symmetric":
        return length / 2 * (1 - outputs / exact) + (y + 0.5) / scale - 0.5
    if mode == "tf_half_pixel_for_nn":
        return (y + 0.5) / scale
    if mode == "asymmetric":
        return y / scale
    if mode == "align_corners":
        return y * (length - 1) / (exact - 1) if exact != 1 else np.zeros(outputs)
    if mode == "tf_crop_and_resize":
        start, end = roi
        if exact == 1:
            return np.full(outputs, (start + end) / 2 * (length - 1))
        return y * (end - start) * (length - 1) / (exact - 1) + start * (length - 1)
    raise ShapeError(f"coordinate mode {mode!r} is unknown")


def _nearest(x: np.ndarray, mode: str) -> np.ndarray:
    rounding: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    if mode not in rounding:
        raise ShapeError(f"nearest mode {mode!r} is unknown")
    return rounding[mode](x).astype(np.int64)[:, None]


def _kernel(
    function: Callable[[np.ndarray], np.ndarray], reach: int, fraction: np.ndarray, shrink: float
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets from the left element and weights of a filter that is ``reach`` elements wide on
    each side, stretched by 1/``shrink``."""
    first = int(np.floor(-reach / shrink)) + 1
    offsets = np.arange(first, 2 - first)
    return offsets, function((offsets - fraction[:, None]) * shrink)


def _triangle(t: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(t), 0)


def _cubic(t: np.ndarray, a: float) -> np.ndarray:
    """Keys, "Cubic convolution interpolation for digital image processing" (1981)."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * a * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))
