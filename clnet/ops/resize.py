"""Resize: a tensor sampled anew along some of its axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, PackedRef, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.axis_lookup import constant_table, look_up
from clnet.ops.axis_sums import weigh_axes
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.lowering import ceil_div, float_defines, grid
from clnet.ops.resize_tables import AxisTable, Sampling, axis_table
from clnet.ops.sampling_gradient import sampling_vjp
from clnet.ops.strided_copy import CARRIERS, View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Resize(Op):
    """x sampled at ``out_shape`` points, with ONNX's rules. ``scales`` and ``roi`` (starts, then
    ends) are for all axes; empty, they follow from the shapes and mean the whole tensor.

    ``mode`` is nearest, linear or cubic; only nearest takes dtypes other than floats. Which source
    elements and weights make up an output element is computed once, on the host.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    out_shape: tuple[int, ...]
    scales: tuple[float, ...] = ()
    mode: str = "nearest"
    coordinate_mode: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    extrapolation_value: float = 0.0
    roi: tuple[float, ...] = ()

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        if self.mode not in ("nearest", "linear", "cubic"):
            raise ShapeError(f"resize mode {self.mode!r} is unknown")
        if self.mode != "nearest" and not x.is_float:
            raise ShapeError(f"mode {self.mode} does not take {x.dtype}")
        fits = len(self.out_shape) == x.rank and len(self.scales) in (0, x.rank)
        if not fits or len(self.roi) not in (0, 2 * x.rank):
            raise ShapeError(f"out_shape, scales or roi do not have the rank of {x}")
        if any(s <= 0 or not math.isfinite(s) for s in self.scales):
            raise ShapeError(f"scales {list(self.scales)} are not all positive")
        if not x.size and 0 not in self.out_shape:
            raise ShapeError(f"nothing to resize in {x}")
        return (x.with_shape(self.out_shape),)

    def tables(self, shape: tuple[int, ...]) -> dict[int, AxisTable]:
        """The table of each axis that changes."""
        sampling = Sampling(
            self.mode,
            self.coordinate_mode,
            self.nearest_mode,
            self.cubic_coeff_a,
            self.exclude_outside,
            self.antialias,
        )
        rank = len(shape)
        tables = {}
        for axis, (length, outputs) in enumerate(zip(shape, self.out_shape, strict=True)):
            scale = self.scales[axis] if self.scales else outputs / length
            roi = (self.roi[axis], self.roi[rank + axis]) if self.roi else (0.0, 1.0)
            whole = self.coordinate_mode != "tf_crop_and_resize" or roi == (0.0, 1.0)
            if length == outputs and math.isclose(scale, 1.0) and whole:
                continue
            tables[axis] = axis_table(length, outputs, scale, roi, sampling)
        return tables

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        if 0 in self.out_shape:
            return (np.empty(self.out_shape, x.dtype),)
        dtype = x.dtype
        for axis, table in self.tables(x.shape).items():
            if self.mode == "nearest":
                x = x.take(table.indices[:, 0], axis)
            else:
                taps = np.moveaxis(x, axis, -1)[..., table.indices]
                x = np.moveaxis((taps * table.weights).sum(-1), -1, axis)
            outside = table.outside.reshape([-1] + [1] * (x.ndim - axis - 1))
            x = np.where(outside, np.asarray(self.extrapolation_value).astype(dtype), x)
        return (x.astype(dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, y = workload.input(0), workload.output
        tables = self.tables(x.shape)
        if not tables:
            whole = View.of((x.size,))
            call = copy_call(In(), Out(), x.itemsize, (x.size,), whole, whole, device)
            return [Candidate("copy", (call,), placements=(Placement(Out(), In(), 0, 0),))]
        if self.mode != "nearest":
            separable = weigh_axes(x, self.out_shape, tables, self.extrapolation_value, device)
            bilinear = self._bilinear(x, tables, device)
            return [separable, *bilinear] if device.is_cpu else [*bilinear, separable]
        factors = _factors(x, y, tables)
        sources = {a: np.where(t.outside, -1, t.indices[:, 0]) for a, t in tables.items()}
        return [
            *([_replicate(x, y, factors, device)] if factors else []),
            look_up(x, y, sources, self.extrapolation_value, device),
        ]

    def _bilinear(
        self, x: TensorSpec, tables: dict[int, AxisTable], device: DeviceInfo
    ) -> list[Candidate]:
        """Both image axes at once, where two elements of each suffice."""
        images = [x.rank - 2, x.rank - 1]
        if sorted(tables) != images:
            return []
        rows, columns = (tables[a] for a in images)
        if any(t.indices.shape[1] != 2 or t.outside.any() for t in (rows, columns)):
            return []
        size = math.prod(self.out_shape)
        indices = np.concatenate([rows.indices, columns.indices]).astype(np.int32)
        weights = np.concatenate([rows.weights, columns.weights]).astype(np.float32)
        defines = (
            *float_defines(x.dtype, device),
            ("VW", 1),
            ("HEIGHT", x.shape[-2]),
            ("WIDTH", x.shape[-1]),
            ("ROWS", self.out_shape[-2]),
            ("COLUMNS", self.out_shape[-1]),
            ("SIZE", size),
        )
        args = (In(), PackedRef(0), PackedRef(1), Out())
        call = KernelCall("resize_bilinear", "resize_bilinear", args, grid(size), None, defines)
        return [
            Candidate(
                "bilinear", (call,), packed=(constant_table(indices), constant_table(weights))
            )
        ]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return (sampling_vjp(build, node, grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        x = (Arg((1, 2, 5, 6)),)
        yield Case(cls((1, 2, 10, 12), coordinate_mode="asymmetric", nearest_mode="floor"), x)
        yield Case(cls((1, 2, 10, 7)), (Arg((1, 2, 5, 6), "uint8", 0, 255),))
        yield Case(cls((1, 2, 15, 6), (1, 1, 3, 1)), x, differentiable=True)
        yield Case(cls((1, 2, 11, 12), mode="linear"), x, differentiable=True)
        yield Case(cls((1, 2, 3, 4), mode="linear", antialias=True), x)
        yield Case(cls((1, 2, 7, 9), mode="cubic", exclude_outside=True), x)
        yield Case(
            cls((3, 7, 4), mode="linear", coordinate_mode="align_corners"), (Arg((2, 5, 3)),)
        )
        roi = (0.0, 0.0, 0.4, -0.2, 1.0, 1.0, 0.6, 1.2)
        for mode in ("nearest", "linear"):
            crop = cls((1, 2, 4, 5), (), mode, "tf_crop_and_resize", roi=roi, extrapolation_value=9)
            yield Case(crop, x, differentiable=True)


def _factors(x: TensorSpec, y: TensorSpec, tables: dict[int, AxisTable]) -> tuple[int, int] | None:
    """How often rows and columns repeat, if that is all this resize does."""
    if min(tables) < x.rank - 2 or y.shape[-1] % x.shape[-1]:
        return None
    for axis, table in tables.items():
        factor = y.shape[axis] // x.shape[axis]
        repeated = np.arange(y.shape[axis]) // max(1, factor)
        if table.outside.any() or not np.array_equal(table.indices[:, 0], repeated):
            return None
    return y.shape[-2] // x.shape[-2] if x.rank > 1 else 1, y.shape[-1] // x.shape[-1]


def _replicate(
    x: TensorSpec, y: TensorSpec, factors: tuple[int, int], device: DeviceInfo
) -> Candidate:
    """One work-item writes all repeats of a run of elements."""
    run = min(device.vector_width, x.shape[-1]) if device.is_cpu else 1
    chunks = ceil_div(x.shape[-1], run)
    items = x.size // x.shape[-1] * chunks
    defines = (
        ("ELEMENT", CARRIERS[x.itemsize]),
        ("WIDTH", x.shape[-1]),
        ("RUN", run),
        ("FACTOR_Y", factors[0]),
        ("FACTOR_X", factors[1]),
        ("SIZE", items),
    )
    call = KernelCall(
        "resize_replicate", "resize_replicate", (In(), Out()), grid(items), None, defines
    )
    return Candidate("replicate", (call,))
