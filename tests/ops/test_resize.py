"""Resize samples as ONNX's own reference implementation does, whatever the attributes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from clnet.ops.resize import Resize

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
SHAPES = [((5, 8), (11, 3)), ((7, 4), (1, 4)), ((6, 3), (12, 9)), ((1, 9), (5, 1))]


def onnx_resize(op: Resize, x: np.ndarray, **attributes: object) -> np.ndarray:
    node = helper.make_node(
        "Resize",
        ["x", "roi", "", "sizes"],
        ["y"],
        coordinate_transformation_mode=op.coordinate_mode,
        mode=op.mode,
        **attributes,
    )
    sizes = np.array(op.out_shape, np.int64)
    feeds = {"x": x, "roi": np.array(op.roi, np.float32), "sizes": sizes}
    (y,) = ReferenceEvaluator(node).run(None, feeds)
    return y


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("shapes", SHAPES)
def test_nearest(coordinates: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    shape, target = shapes
    x = np.random.default_rng(0).random(shape, np.float32)
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        op = Resize(target, (), "nearest", coordinates, nearest, roi=(0.125, -0.25, 0.75, 1.25),
                    extrapolation_value=9.0)  # fmt: skip
        want = onnx_resize(op, x, nearest_mode=nearest, extrapolation_value=9.0)
        np.testing.assert_array_equal(op.reference(x)[0], want)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("mode", ("linear", "cubic"))
def test_interpolation(
    mode: str, coordinates: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    shape, target = shapes
    x = np.random.default_rng(0).random(shape, np.float32)
    for outside, antialias in itertools.product((False, True), repeat=2):
        op = Resize(target, (), mode, coordinates, cubic_coeff_a=-0.5, exclude_outside=outside,
                    antialias=antialias, roi=(0.125, -0.25, 0.75, 1.25))  # fmt: skip
        want = onnx_resize(op, x, cubic_coeff_a=-0.5, exclude_outside=int(outside),
                           antialias=int(antialias))  # fmt: skip
        np.testing.assert_allclose(op.reference(x)[0], want, rtol=1e-5, atol=1e-6)
