"""LRN: local response normalisation across channels (AlexNet)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.elementwise import calculate
from clnet.ops.lowering import float_defines, grid
from clnet.ops.pooling import AveragePool
from clnet.ops.reshape import Reshape
from clnet.ops.rows import dividing_width
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

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        spatial = math.prod(x.shape[2:])
        width = dividing_width(spatial, device)
        defines = (
            *float_defines(x.dtype, device),
            ("VW", width),
            ("CHANNELS", x.shape[1]),
            ("SPATIAL", spatial),
            ("SIZE", self.size),
            ("BEFORE", (self.size - 1) // 2),
        )
        numbers = (self.alpha / self.size, self.beta, self.bias)
        args = (In(), Out(), *map(np.float32, numbers))
        size = grid(spatial // width, x.shape[1], x.shape[0])
        return [Candidate("lrn", (KernelCall("lrn", "lrn", args, size, None, defines),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        # With s = bias + alpha * mean of x² around: dx = g s^-beta - 2 alpha beta x * the mean,
        # by windows turned round, of g x s^(-beta - 1).
        (x,), grad = node.inputs, grads[0]
        assert x is not None
        apply = partial(calculate, build)

        def power(exponent: float) -> Any:
            return build.constant(np.asarray(exponent, x.spec.dtype))

        squares = self._mean(build, apply("Mul", x, x), turned=False)
        s = apply("Shift", apply("Scale", squares, factor=self.alpha), offset=self.bias)
        own = apply("Mul", grad, apply("Pow", s, power(-self.beta)))
        spread = self._mean(build, apply("Mul", x, apply("Div", own, s)), turned=True)
        others = apply("Scale", apply("Mul", x, spread), factor=2 * self.alpha * self.beta)
        return (apply("Sub", own, others),)

    def _mean(self, build: GraphBuilder, x: Value, *, turned: bool) -> Value:
        """The mean over ``size`` channels around, those that do not exist counted as zeros."""
        n, c, *spatial = x.spec.shape
        ends = (self.size - 1) // 2, self.size - 1 - (self.size - 1) // 2
        begin, end = ends[::-1] if turned else ends
        pool = AveragePool(
            (self.size, 1), (1, 1), (begin, 0, end, 0), (1, 1), count_include_pad=True
        )
        image = build.add(Reshape((n, 1, c, math.prod(spatial))), x)
        result: Value = build.add(Reshape(x.spec.shape), build.add(pool, image))
        return result

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(5, alpha=0.1), (Arg((2, 7, 3, 4)),), differentiable=True)
        yield Case(cls(2, 0.5, 0.6, 2.0), (Arg((1, 3, 5)),), differentiable=True)
