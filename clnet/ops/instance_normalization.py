"""InstanceNormalization: each channel of each sample by its own mean and variance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, per_channel, present
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class InstanceNormalization(Op):
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias over the spatial axes of x[N, C, ...]."""

    epsilon: float = 1e-5

    spellings: ClassVar = {"onnx": {"InstanceNormalization": {"epsilon": "epsilon"}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, scale, bias = (
            present(s, n) for s, n in zip(inputs, ("x", "scale", "bias"), strict=True)
        )
        present(x, "x", 3)
        one_float_dtype(x, scale, bias)
        per_channel(x, scale, bias)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, bias = (a for a in inputs if a is not None)
        axes = tuple(range(2, x.ndim))
        shape = (1, -1) + (1,) * len(axes)
        wide = x.astype(np.float64)
        mean, var = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
        y = (wide - mean) / np.sqrt(var + self.epsilon)
        return ((y * scale.reshape(shape) + bias.reshape(shape)).astype(x.dtype),)
