"""CumSum and CumProd: running sums and products along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Define, HostCall, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, present
from clnet.ops.concat import Concat
from clnet.ops.elementwise import calculate
from clnet.ops.lowering import float_defines, grid, index_text
from clnet.ops.slice import Slice
from clnet.ops.strided_copy import CARRIERS
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class CumSum(Op):
    """Each element becomes the sum of all up to it along ``axis``; where ``exclusive`` without
    itself, where ``reverse`` from the end. Integers wrap around."""

    axis: int
    exclusive: bool = False
    reverse: bool = False

    product: ClassVar[bool] = False

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 1)
        normal_axis(self.axis, x.rank)
        if x.dtype == "bool":
            raise ShapeError(f"{self.label} of bool")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        wide = np.float64 if np.issubdtype(x.dtype, np.floating) else x.dtype
        y = np.flip(x, self.axis) if self.reverse else x
        if self.exclusive:
            y = np.delete(np.insert(y, 0, int(self.product), self.axis), -1, self.axis)
        y = (np.cumprod if self.product else np.cumsum)(y, self.axis, wide)
        return ((np.flip(y, self.axis) if self.reverse else y).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        if x.dtype == "float64" and not device.fp64:
            return [Candidate("host", (HostCall(self.reference, (In(),), (Out(),)),))]
        axis = normal_axis(self.axis, x.rank)
        count, step = x.shape[axis], math.prod(x.shape[axis + 1 :])
        rows = x.size // count
        kind: tuple[Define, ...] = (("ELEMENT", CARRIERS[x.itemsize]),)
        if x.is_float:
            kind = float_defines(x.dtype, device)
        defines = (
            *kind,
            ("PAIRS", int(not x.is_float and x.itemsize == 8)),
            ("ROWS", rows),
            ("COUNT", count),
            ("STEP", step),
            ("ROW(o)", index_text((rows // step, step), (count * step, 1), "(o)")),
            ("PRODUCT", int(self.product)),
            ("EXCLUSIVE", int(self.exclusive)),
            ("REVERSE", int(self.reverse)),
        )
        call = KernelCall("cum_sum", "cum_sum", (In(), Out()), grid(rows), None, defines)
        return [Candidate("cum_sum", (call,))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return (build.add(replace(self, reverse=not self.reverse), grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for exclusive in (False, True):
            for reverse in (False, True):
                op = cls(1, exclusive, reverse)
                yield Case(op, (Arg((3, 21, 4)),), differentiable=True)
                yield Case(op, (Arg((5, 9), "int32", -(2**31), 2**31 - 1),))
        yield Case(cls(-1), (Arg((70, 300)),))
        yield Case(cls(0), (Arg((1000,)),))
        yield Case(cls(0), (Arg((3, 0)),))
        yield Case(cls(-1), (Arg((2, 33), "int64", -(2**33), 2**33),))
        yield Case(cls(0), (Arg((9, 2), "float16"),), tolerance=1e-3)
        for dtype in ("float64", "uint64", "int8"):
            yield Case(cls(0), (Arg((9, 2), dtype, 0, 100),))


@register
@dataclass(frozen=True)
class CumProd(CumSum):
    """Products in place of the sums."""

    product: ClassVar[bool] = True
    vjp = Op.vjp  # but for its expansion, there is none

    def expand(self, build: GraphBuilder, *inputs: Value | None) -> tuple[Value | None, ...]:
        """Products of one, two, four… neighbours: exact where elements are zero, too."""
        (y,) = inputs
        assert y is not None
        axis, shape = normal_axis(self.axis, y.spec.rank), y.spec.shape
        count = shape[axis]

        def moved(value: Value, by: int) -> Value:
            """Each element ``by`` places further on, and ones where there is none."""
            ones = np.ones((*shape[:axis], by, *shape[axis + 1 :]), value.spec.dtype)
            start, end = (by, count) if self.reverse else (0, count - by)
            parts = [build.constant(ones), build.add(Slice((start,), (end,), (axis,)), value)]
            result: Value = build.add(Concat(axis), *(reversed(parts) if self.reverse else parts))
            return result

        if self.exclusive:
            y = moved(y, 1)
        width = 1
        while width < count:
            y = calculate(build, "Mul", y, moved(y, width))
            width *= 2
        return (y,)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for exclusive, reverse in ((False, False), (True, True)):
            yield Case(cls(1, exclusive, reverse), (Arg((3, 9, 4)),), differentiable=True)
            zeros = Arg(values=[1, -2, 0, 3, 0, 0.5])
            yield Case(cls(0, exclusive, reverse), (zeros,), differentiable=True)
            yield Case(cls(0, exclusive, reverse), (Arg((5, 9), "int32", -(2**31), 2**31 - 1),))
        yield Case(cls(-1), (Arg((2, 33), "int64", -3, 3),))
