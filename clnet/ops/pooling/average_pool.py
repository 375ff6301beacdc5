"""AveragePool: the mean of each window."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.pooling.kernels import pool
from clnet.ops.pooling.windows import Axis, axes_of, windows
from clnet.ops.resize_tables import AxisTable
from clnet.ops.sampling_gradient import sampling_vjp
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class AveragePool(Op):
    """The mean of each window over x[N, C, *spatial]; ``pads``: begins, then ends.

    It is divided by the taps that lie on elements, or with ``count_include_pad`` also by those in
    ``pads``; what ceil_mode reaches beyond the padding never counts.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    ceil_mode: bool = False
    count_include_pad: bool = False

    def axes(self, x: TensorSpec) -> list[Axis]:
        """The windows over ``x``."""
        return axes_of(x, self.kernel, self.strides, self.pads, self.dilations, self.ceil_mode)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 3)
        one_float_dtype(x)
        return (x.with_shape((*x.shape[:2], *(a.count for a in self.axes(x)))),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        axes = self.axes(TensorSpec.of(x))
        y = np.zeros((*x.shape[:2], *(a.count for a in axes)), np.float64)
        for position, taps in windows(axes):
            inner = [[t for t in r if 0 <= t < a.size] for r, a in zip(taps, axes, strict=True)]
            padded = [[t for t in r if t < a.size + a.end] for r, a in zip(taps, axes, strict=True)]
            counted = padded if self.count_include_pad else inner
            elements: tuple[Any, ...] = (slice(None), slice(None), *np.ix_(*inner))
            total = x[elements].sum(tuple(range(2, x.ndim)), np.float64)
            target: tuple[Any, ...] = (..., *position)
            y[target] = total / max(1, math.prod(len(c) for c in counted))
        return (y.astype(x.dtype),)

    def tables(self, shape: tuple[int, ...]) -> dict[int, AxisTable]:
        """For each spatial axis of x, which elements are in each window, each by its share: a
        window is a box, so that shares along the axes multiply."""
        return {2 + i: self._table(a) for i, a in enumerate(self.axes(TensorSpec(shape)))}

    def _table(self, axis: Axis) -> AxisTable:
        taps = np.array([axis.taps(window) for window in range(axis.count)])
        inside = (taps >= 0) & (taps < axis.size)
        counted = taps < axis.size + axis.end if self.count_include_pad else inside
        shares = inside / np.maximum(1, counted.sum(1, keepdims=True))
        outside = np.zeros(axis.count, bool)
        return AxisTable(taps.clip(0, axis.size - 1), shares, outside)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        call = pool(x, self.axes(x), device, average=True, count_padding=self.count_include_pad)
        return [Candidate("pool", (call,))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return (sampling_vjp(build, node, grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for counted in (False, True):
            op = cls((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), counted, counted)
            yield Case(op, (Arg((2, 3, 12, 42)),), differentiable=True)
            op = cls((2, 3), (1, 3), (1, 2, 0, 1), (2, 1), True, counted)
            yield Case(op, (Arg((1, 2, 6, 23)),), differentiable=True)
        yield Case(cls((4,), (3,), (2, 1), (1,), True, True), (Arg((2, 3, 19)),))
        op = cls((2, 3, 2), (2, 1, 2), (1, 1, 0, 0, 1, 1), (1, 1, 1), True)
        yield Case(op, (Arg((1, 2, 4, 5, 9)),), differentiable=True)
