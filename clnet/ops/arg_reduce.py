"""ArgReduce: where along an axis the largest or smallest element stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, present
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
