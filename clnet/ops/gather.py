"""Gather: slices picked by index."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis
from clnet.ops.lowering import float_defines, grid
from clnet.ops.strided_copy import CARRIERS
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Gather(Op):
    """x's slices along ``axis`` at ``indices`` (int32 or int64, any shape, which takes the axis's
    place). Negative indices count from the end; what is still outside is clamped, so that no data
    makes the device read elsewhere."""

    axis: int = 0

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, indices = inputs
        assert x is not None and indices is not None
        axis = normal_axis(self.axis, x.rank)
        if indices.dtype not in ("int32", "int64"):
            raise ShapeError(f"indices are {indices.dtype}, not int32 or int64")
        if indices.size and not x.shape[axis]:
            raise ShapeError(f"nothing to gather along axis {axis} of {x}")
        return (x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, indices = inputs
        assert x is not None and indices is not None
        n = x.shape[self.axis]
        return (x.take(np.where(indices < 0, indices + n, indices), self.axis, mode="clip"),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, indices, y = workload.input(0), workload.input(1), workload.output
        axis = normal_axis(self.axis, x.rank)
        words = max(1, x.itemsize // 4)  # 64-bit elements are pairs: not every GPU loads them
        inner = math.prod(x.shape[axis + 1 :]) * words
        width = max(w for w in (1, 2, 4, 8, 16) if inner % w == 0 and w <= device.vector_width)
        defines = (
            ("ELEMENT", CARRIERS[x.itemsize // words]),
            ("INDEX_WORDS", indices.itemsize // 4),
            ("WIDTH", width),
            ("AXIS", x.shape[axis]),
            ("COUNT", indices.size),
            ("INNER", inner),
            ("SIZE", y.size * words),
        )
        call = KernelCall(
            "gather", "gather", (In(0), In(1), Out()), grid(y.size * words // width), None, defines
        )
        return [Candidate("gather", (call,))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        x, indices = node.inputs
        assert x is not None
        axis = normal_axis(self.axis, x.spec.rank)
        return build.add(GatherGradient(axis, x.spec.shape[axis]), indices, grads[0]), None

    def elements(self, workload: Workload) -> int:
        return 2 * workload.output.size

    @classmethod
    def cases(cls) -> Iterable[Case]:
        wild = Arg(dtype="int64", values=[[0, -1, 2], [1, 99, -99]])
        yield Case(cls(0), (Arg((3, 5)), wild), differentiable=True)
        yield Case(cls(1), (Arg((2, 3, 8)), wild), differentiable=True)
        yield Case(cls(-1), (Arg((4, 3), "uint8", 0, 255), Arg(dtype="int32", values=2)))


@register
@dataclass(frozen=True)
class GatherGradient(Op):
    """dx[.., i, ..] = the sum of dy over all places along ``axis`` (counted from the front) whose
    index is i, for a Gather from ``extent`` elements. Inputs: its indices, and dy."""

    axis: int
    extent: int

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        indices, dy = inputs
        assert indices is not None and dy is not None
        behind = self.axis + indices.rank
        if dy.shape[self.axis : behind] != indices.shape or not dy.is_float:
            raise ShapeError(f"{dy} is no gradient of elements gathered by {indices}")
        return (dy.with_shape((*dy.shape[: self.axis], self.extent, *dy.shape[behind:])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        indices, dy = inputs
        assert indices is not None and dy is not None
        (spec,) = self.infer(TensorSpec.of(indices), TensorSpec.of(dy))
        chosen = np.where(indices < 0, indices + self.extent, indices).clip(0, self.extent - 1)
        rows = dy.reshape(*dy.shape[: self.axis], chosen.size, *spec.shape[self.axis + 1 :])
        dx = np.zeros((self.extent, *np.moveaxis(rows, self.axis, 0).shape[1:]))
        np.add.at(dx, chosen.ravel(), np.moveaxis(rows, self.axis, 0))
        return (np.moveaxis(dx, 0, self.axis).astype(dy.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        indices, dx = workload.input(0), workload.output
        defines = (
            *float_defines(dx.dtype, device),
            ("INDEX_WORDS", indices.itemsize // 4),
            ("AXIS", self.extent),
            ("COUNT", indices.size),
            ("INNER", math.prod(dx.shape[self.axis + 1 :])),
            ("SIZE", dx.size),
        )
        name, args = "gather_gradient", (In(0), In(1), Out())
        return [Candidate(name, (KernelCall(name, name, args, grid(dx.size), None, defines),))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        wild = Arg(dtype="int64", values=[[0, -1, 2], [1, 99, -99]])
        yield Case(cls(0, 3), (wild, Arg((2, 3, 5))))
        yield Case(cls(1, 3), (wild, Arg((2, 2, 3, 8))))
        yield Case(cls(1, 3), (Arg(dtype="int32", values=2), Arg((4,))))
