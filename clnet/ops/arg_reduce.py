"""ArgReduce: where along an axis the largest or smallest element stands."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, present
from clnet.ops.lowering import STORAGE_TYPES, float_defines, grid, index_text
from clnet.ops.reduce import reduced_shape
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class ArgReduce(Op):
    """int64 index of the extreme (``function`` "Max" or "Min") along ``axis``; of equals the
    first, or the last where ``select_last_index``."""

    function: str
    axis: int = 0
    keepdims: bool = True
    select_last_index: bool = False

    @property
    def label(self) -> str:
        return f"Arg{self.function}"

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 1)
        if self.function not in ("Max", "Min"):
            raise ShapeError(f"unknown function {self.function}")
        axis = normal_axis(self.axis, x.rank)
        if x.shape[axis] == 0:
            raise ShapeError(f"{self.label} over the empty axis {axis} of {x}")
        return (TensorSpec(reduced_shape(x.shape, (axis,), self.keepdims), "int64"),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        find = np.argmax if self.function == "Max" else np.argmin
        if self.select_last_index:
            last = x.shape[self.axis] - 1
            y = last - find(np.flip(x, self.axis), self.axis, keepdims=self.keepdims)
        else:
            y = find(x, self.axis, keepdims=self.keepdims)
        return (np.asarray(y, np.int64),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        axis = normal_axis(self.axis, x.rank)
        count, step = x.shape[axis], math.prod(x.shape[axis + 1 :])
        rows = x.size // count
        kind: tuple[Define, ...] = (("INTEGER", STORAGE_TYPES[x.dtype]),)
        if x.is_float:
            kind = float_defines(x.dtype, device)
        sign = ">" if self.function == "Max" else "<"
        better = f"((x) {sign}{'=' if self.select_last_index else ''} (y))"
        defines = (
            *kind,
            ("ROWS", rows),
            ("COUNT", count),
            ("STEP", step),
            ("ROW(o)", index_text((rows // step, step), (count * step, 1), "(o)")),
            ("IS_BETTER(x, y)", better),
        )
        call = KernelCall("arg_reduce", "arg_reduce", (In(), Out()), grid(rows), None, defines)
        return [Candidate("arg_reduce", (call,))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls("Max", 1), (Arg((3, 21, 4)),))
        yield Case(cls("Min", -1, False), (Arg((5, 33)),))
        for function in ("Max", "Min"):
            for last in (False, True):
                op = cls(function, 0, False, last)
                yield Case(op, (Arg((9, 5), "int32", 0, 3),))
        yield Case(cls("Max", 0), (Arg((4, 3), "uint8", 0, 255),))
