"""LRN: local response normalisation across channels (AlexNet)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class LRN(Op):
    """y = x / (bias + alpha / size * sum of x² over the ``size`` channels around)^beta."""

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    spellings: ClassVar = {
        "onnx": {"LRN": {"size": "size", "alpha": "alpha", "beta": "beta", "bias": "bias"}}
    }

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 2)
        one_float_dtype(x)
        if self.size < 1:
            raise ShapeError(f"LRN over {self.size} channels")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        before = (self.size - 1) // 2
        squares = np.zeros_like(x, np.float64)
        for c in range(x.shape[1]):
            window = x[:, max(0, c - before) : c - before + self.size].astype(np.float64)
            squares[:, c] = (window**2).sum(1)
        return ((x / (self.bias + self.alpha / self.size * squares) ** self.beta).astype(x.dtype),)
