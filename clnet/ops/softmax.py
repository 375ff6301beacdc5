"""Softmax and LogSoftmax along one axis (ONNX's since opset 13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, one_float_dtype, present
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Softmax(Op):
    """y = exp(x - max x) / sum exp(x - max x) along ``axis``."""

    axis: int = -1

    spellings: ClassVar = {"onnx": {"Softmax": {"axis": "axis"}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 1)
        one_float_dtype(x)
        normal_axis(self.axis, x.rank)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        shifted = x.astype(np.float64) - x.max(self.axis, keepdims=True)
        powers = np.exp(shifted)
        return ((powers / powers.sum(self.axis, keepdims=True)).astype(x.dtype),)


@register
@dataclass(frozen=True)
class LogSoftmax(Softmax):
    """y = x - max x - log(sum exp(x - max x)) along ``axis``."""

    spellings: ClassVar = {"onnx": {"LogSoftmax": {"axis": "axis"}}}

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        shifted = x.astype(np.float64) - x.max(self.axis, keepdims=True)
        total = np.log(np.exp(shifted).sum(self.axis, keepdims=True))
        return ((shifted - total).astype(x.dtype),)
