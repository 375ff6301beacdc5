"""Resize and its forerunner Upsample."""

from __future__ import annotations

import math
from typing import Any

from clnet.errors import ModelError
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.ops.resize import Resize

_COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_half_pixel_for_nn", "tf_crop_and_resize",
)  # fmt: skip
_NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@converter("Upsample")
def upsample(node: OnnxNode) -> Any:
    scales: tuple[float, ...]
    if node.opset < 7:
        scales = (1.0, 1.0, node.real("height_scale"), node.real("width_scale"))
    else:
        scales = node.reals("scales") if node.opset < 9 else node.reals_of(1)
    return _by_scales_of_old(node, scales, "floor")


@converter("Resize")
def resize(node: OnnxNode) -> Any:
    if node.opset < 11:
        scales = node.reals_of(1)
        return _by_scales_of_old(node, scales, "ceil" if any(s < 1 for s in scales) else "floor")
    return _resize(node)


def _by_scales_of_old(node: OnnxNode, scales: tuple[float, ...], nearest: str) -> Any:
    """Before opset 11 there was one way: pixels start at their corner."""
    mode = node.text("mode", "nearest", "linear", "bilinear").removeprefix("bi")
    shape = node.input().spec.shape
    _check_scales(scales, len(shape))
    target = tuple(math.floor(s * f) for s, f in zip(shape, scales, strict=True))
    op = Resize(target, scales, mode, coordinate_mode="asymmetric", nearest_mode=nearest)
    return node.add(op, node.input())


def _resize(node: OnnxNode) -> Any:
    shape = node.input().spec.shape
    rank = len(shape)
    axes = tuple(normalized(a, rank) for a in node.integers("axes", range(rank)))
    coordinates = node.text("coordinate_transformation_mode", *_COORDINATES)
    has_scales = node.has(2) and node.input(2).spec.size > 0
    if has_scales == (node.has(3) and node.input(3).spec.size > 0):
        raise ModelError("neither scales nor sizes, or both")
    scales = [1.0] * rank
    target = list(shape)
    if has_scales:
        given = node.reals_of(2)
        _check_scales(given, len(axes))
        for axis, factor in zip(axes, given, strict=True):
            scales[axis] = factor
            target[axis] = math.floor(shape[axis] * factor)
    else:
        sizes = _kept_in_proportion(node, node.integers_of(3), [shape[a] for a in axes])
        for axis, (size, factor) in zip(axes, sizes, strict=True):
            scales[axis], target[axis] = factor, size
    roi = [0.0] * rank + [1.0] * rank
    if coordinates == "tf_crop_and_resize":
        given = node.reals_of(1)
        if len(given) != 2 * len(axes):
            raise ModelError(f"roi of {len(given)} numbers for {len(axes)} axes")
        for i, axis in enumerate(axes):
            roi[axis], roi[rank + axis] = given[i], given[len(axes) + i]
    op = Resize(
        tuple(target),
        tuple(scales),
        node.text("mode", "nearest", "linear", "cubic"),
        coordinate_mode=coordinates,
        nearest_mode=node.text("nearest_mode", *_NEAREST),
        cubic_coeff_a=node.real("cubic_coeff_a", -0.75),
        exclude_outside=node.flag("exclude_outside"),
        antialias=node.flag("antialias"),
        extrapolation_value=node.real("extrapolation_value", 0.0),
        roi=tuple(roi),
    )
    return node.add(op, node.input())


def _check_scales(scales: tuple[float, ...], count: int) -> None:
    if len(scales) != count or not all(math.isfinite(s) and s > 0 for s in scales):
        raise ModelError(f"scales {list(scales)} for {count} axes")


def _kept_in_proportion(
    node: OnnxNode, sizes: tuple[int, ...], shape: list[int]
) -> list[tuple[int, float]]:
    """Size and scale of each axis; a policy may make one scale hold for all."""
    policy = node.text("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
    if len(sizes) != len(shape) or any(s < 0 for s in sizes) or 0 in shape:
        raise ModelError(f"sizes {list(sizes)} for dimensions {shape}")
    scales = [size / old for size, old in zip(sizes, shape, strict=True)]
    if policy == "stretch":
        return list(zip(sizes, scales, strict=True))
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [(math.floor(scale * old + 0.5), scale) for old in shape]
