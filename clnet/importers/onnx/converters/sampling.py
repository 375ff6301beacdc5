"""Images read or written at computed places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.converters.constants import MAX_ELEMENTS
from clnet.importers.onnx.converters.convolution import window_of
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.importers.onnx.windows import Window, read_window
from clnet.ops.cast import Cast
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.elementwise import elementwise
from clnet.ops.gather import Gather
from clnet.ops.gemm import MatMul
from clnet.ops.grid_sample import PADDINGS, GridSample
from clnet.ops.pad import Pad
from clnet.ops.reshape import Reshape
from clnet.ops.roi_align import RoiAlign
from clnet.ops.scatter_elements import ScatterElements
from clnet.ops.transpose import Transpose


@converter("GridSample")
def grid_sample(node: OnnxNode) -> Any:
    """Names of modes changed with opset 20."""
    if node.opset < 20:
        mode = node.text("mode", "bilinear", "nearest", "bicubic").removeprefix("bi")
    else:
        mode = node.text("mode", "linear", "nearest", "cubic")
    op = GridSample(mode, node.text("padding_mode", *PADDINGS), node.flag("align_corners"))
    return node.add(op, node.input(0), node.input(1))


@converter("AffineGrid")
def affine_grid(node: OnnxNode) -> Any:
    """The places of an image's elements, moved by a matrix for each image."""
    theta, size = node.input(0), node.integers_of(1)
    spatial = size[2:]
    axes = len(spatial)
    if not 0 < math.prod(spatial) <= MAX_ELEMENTS or min(size) < 1:
        raise ModelError(f"images {list(size)}")
    if axes not in (2, 3) or theta.spec.shape != (size[0], axes, axes + 1):
        raise ModelError(f"matrices {theta.spec} for images {list(size)}")
    align = node.flag("align_corners")
    lines = []
    for extent in spatial:
        limit = 1.0 if align else 1 - 1 / extent
        lines.append(np.linspace(-limit, limit, extent) if extent > 1 or not align else [-1.0])
    mesh = np.meshgrid(*lines, indexing="ij")
    places = np.stack([*mesh[::-1], np.ones(spatial)], -1).reshape(1, -1, axes + 1)
    turned = node.add(Transpose((0, 2, 1)), theta)
    moved = node.add(MatMul(), node.constant(places, theta.spec.dtype), turned)
    return node.add(Reshape((size[0], *spatial, axes)), moved)


@converter("RoiAlign")
def roi_align(node: OnnxNode) -> Any:
    mode = node.text("coordinate_transformation_mode", "half_pixel", "output_half_pixel")
    op = RoiAlign(
        (node.integer("output_height", 1), node.integer("output_width", 1)),
        node.integer("sampling_ratio", 0),
        node.real("spatial_scale", 1.0),
        node.opset >= 16 and mode == "half_pixel",
        node.text("mode", "avg", "max") == "max",
    )
    return node.add(op, *(node.input(i) for i in range(3)))


@converter("DeformConv")
def deformable_convolution(node: OnnxNode) -> Any:
    """Inputs: x, weights, the shift of each tap at each position, a bias, a factor of each tap.
    The taps are sampled, and a matrix product does the rest."""
    x, w, shifts, bias, mask = node.input(0), node.input(1), *(node.optional(i) for i in (2, 3, 4))
    window = window_of(node, x.spec, w.spec)
    batch, channels, *size = x.spec.shape
    groups, parts = node.integer("group", 1), node.integer("offset_group", 1)
    taps = math.prod(window.kernel)
    if len(size) != 2 or shifts is None:
        raise UnsupportedError(f"a deformable convolution of {x.spec}")
    out = _positions(window, size)
    fits = parts > 0 and groups > 0 and channels % parts == 0 == w.spec.shape[0] % groups
    if not fits or w.spec.shape[1] * groups != channels:
        raise ModelError(f"weights {w.spec} in {groups} and {parts} groups of {x.spec}")
    if shifts.spec.shape != (batch, parts * taps * 2, *out):
        raise ModelError(f"shifts {shifts.spec} for {taps} taps at {list(out)}")
    apart = node.add(Reshape((batch * parts, taps, 2, *out)), shifts)
    pairs = node.add(Transpose((0, 1, 3, 4, 2)), apart)
    regular = node.constant(_regular(window, out), x.spec.dtype)
    rows_first = node.add(elementwise("Add"), pairs, regular)
    places = _columns_first(node, rows_first)
    images = node.add(Reshape((batch * parts, channels // parts, *size)), x)
    sampled = node.add(GridSample(pixels=True), images, places)
    if mask is not None:
        factors = node.add(Reshape((batch * parts, 1, taps, *out)), mask)
        sampled = node.add(elementwise("Mul"), sampled, factors)
    depth = channels // groups * taps
    columns = node.add(Reshape((batch, groups, depth, math.prod(out))), sampled)
    matrix = node.add(Reshape((1, groups, w.spec.shape[0] // groups, depth)), w)
    y = node.add(Reshape((batch, w.spec.shape[0], *out)), node.add(MatMul(), matrix, columns))
    if bias is None:
        return y
    return node.add(elementwise("Add"), y, node.add(Reshape((w.spec.shape[0], 1, 1)), bias))


def _positions(window: Window, size: list[int]) -> tuple[int, ...]:
    """Positions of a window along each axis of an image."""
    axes = range(len(size))
    extents = [(window.kernel[a] - 1) * window.dilations[a] + 1 for a in axes]
    padded = [size[a] + window.pads[a] + window.pads[a + len(size)] for a in axes]
    return tuple(max(0, (padded[a] - extents[a]) // window.strides[a] + 1) for a in axes)


def _regular(window: Window, out: tuple[int, ...]) -> np.ndarray:
    """Row and column of each tap at each position, [taps, *out, 2]."""
    taps, places = np.indices(window.kernel), np.indices(out)
    found = [
        (taps[a] * window.dilations[a]).reshape(-1, 1, 1)
        + places[a] * window.strides[a] - window.pads[a]
        for a in range(2)
    ]  # fmt: skip
    return np.stack(found, -1)


def _columns_first(node: OnnxNode, pairs: Value) -> Value:
    """Pairs of (row, column) as (column, row)."""
    result: Value = node.add(Gather(-1), pairs, node.constant([1, 0], "int32"))
    return result


@converter("Col2Im")
def columns_to_image(node: OnnxNode) -> Any:
    """The sum of blocks where they overlap: a transposed convolution in which each of a block's
    elements has a weight for its own place."""
    x, size, block = node.input(0), node.integers_of(1), node.integers_of(2)
    window = read_window(node, block, size)
    out, taps = _positions(window, list(size)), math.prod(block)
    batch, depth = x.spec.shape[:2]
    if x.spec.rank != 3 or depth % taps or x.spec.shape[2] != math.prod(out):
        raise ModelError(f"blocks {x.spec} of {list(block)} for an image {list(size)}")
    channels = depth // taps
    images = node.add(Reshape((batch, depth, *out)), x)
    places = np.tile(np.eye(taps).reshape(taps, 1, *block), (channels, *(1,) * (1 + len(block))))
    axes = range(len(size))
    ends = [
        (out[a] - 1) * window.strides[a] + (block[a] - 1) * window.dilations[a] + 1
        - window.pads[a] - size[a]
        for a in axes
    ]  # fmt: skip
    pads = (*window.pads[: len(size)], *(max(0, e) for e in ends))
    beyond = tuple(max(0, -e) for e in ends)
    op = ConvTranspose(window.strides, pads, window.dilations, channels, beyond)
    return node.add(op, images, node.constant(places, x.spec.dtype))


@converter("MaxUnpool")
def max_unpool(node: OnnxNode) -> Any:
    """Each element goes to where pooling took it from, counted over the whole tensor."""
    x, positions = node.input(0), node.input(1)
    kernel = node.integers("kernel_shape")
    axes = len(kernel)
    if x.spec.rank != axes + 2 or positions.spec.shape != x.spec.shape:
        raise ModelError(f"positions {positions.spec} of {x.spec}")
    window = read_window(node, kernel, x.spec.shape[2:])
    size = [
        (x.spec.shape[2 + a] - 1) * window.strides[a] + kernel[a]
        - window.pads[a] - window.pads[a + axes]
        for a in range(axes)
    ]  # fmt: skip
    maps, inner = math.prod(x.spec.shape[:2]), math.prod(size)
    wanted = node.integers_of(2) if node.has(2) else (*x.spec.shape[:2], *size)
    if min(size) < 1 or len(wanted) != x.spec.rank or wanted[:2] != x.spec.shape[:2]:
        raise ModelError(f"{x.spec} to {list(wanted)}")
    count = math.prod(x.spec.shape[2:])
    rows = node.add(Reshape((maps, count)), node.add(Cast("int32"), positions))
    base = node.constant(np.arange(maps).reshape(maps, 1) * inner, rows.spec.dtype)
    zeros = node.constant(np.broadcast_to(np.zeros((), x.spec.dtype), (maps, inner)))
    places = node.add(elementwise("Sub"), rows, base)
    flat = node.add(ScatterElements(1), zeros, places, node.add(Reshape((maps, count)), x))
    y = node.add(Reshape((*x.spec.shape[:2], *size)), flat)
    beyond = tuple(w - s for w, s in zip(wanted[2:], size, strict=True))
    return node.add(Pad((0,) * (axes + 4) + beyond), y) if any(beyond) else y
