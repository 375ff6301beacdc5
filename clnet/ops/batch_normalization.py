"""BatchNormalization as inference sees it: an affine map per channel."""

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
class BatchNormalization(Op):
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias, for x[N, C, ...] channel by channel."""

    epsilon: float = 1e-5

    spellings: ClassVar = {"onnx": {"BatchNormalization": {"epsilon": "epsilon"}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        names = ("x", "scale", "bias", "mean", "var")
        x, *channels = (present(s, n) for s, n in zip(inputs, names, strict=True))
        present(x, "x", 2)
        one_float_dtype(x, *channels)
        per_channel(x, *channels)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, *channels = (a for a in inputs if a is not None)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        scale, bias, mean, var = (c.reshape(shape) for c in channels)
        return (((x - mean) / np.sqrt(var + self.epsilon) * scale + bias).astype(x.dtype),)
