"""Dropout: in training, zeroes random elements; else the identity."""

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
from clnet.ops.cast import Cast
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.lowering import ceil_div, float_defines, grid
from clnet.ops.philox import WEYL, philox
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Dropout(Op):
    """y = x / (1 - ratio) where kept, else 0; each element is dropped with probability ``ratio``.

    Inputs: x, and in training uint32 seed[] and int32 step[]: what is dropped is a function of
    these, of ``layer`` (which dropout of the network this is) and of the element's position alone,
    so that the gradient drops the same. Without them y = x.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014).
    """

    ratio: float
    layer: int = 0

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, *random = inputs
        x = present(x, "x")
        one_float_dtype(x)
        if not 0 <= self.ratio < 1:
            raise ShapeError(f"a ratio of {self.ratio}, which must lie within [0, 1)")
        if random not in ([], [TensorSpec((), "uint32"), TensorSpec((), "int32")]):
            raise ShapeError("seed and step are a uint32 and an int32")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, *random = inputs
        assert x is not None
        if not random:
            return (x,)
        seed, step = (int(r) for r in random if r is not None)
        counter = np.empty((ceil_div(x.size, 2), 2), np.uint32)
        counter[:, 0], counter[:, 1] = np.arange(len(counter)), step
        bits = philox(counter, (seed + self.layer * WEYL) & 0xFFFFFFFF)
        kept = bits.reshape(-1)[: x.size].reshape(x.shape) >= self.threshold
        return (np.where(kept, x / x.dtype.type(1 - self.ratio), 0).astype(x.dtype),)

    @property
    def threshold(self) -> int:
        """Random numbers below this drop their element."""
        return math.floor(self.ratio * 2.0**32)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        if len(workload.inputs) == 1:
            return Cast(x.dtype).lower(workload, device)
        defines = (
            *float_defines(x.dtype, device),
            ("SIZE", x.size),
            ("THRESHOLD", f"{self.threshold}u"),
            ("LAYER_KEY", f"{self.layer * WEYL & 0xFFFFFFFF}u"),
            ("SCALE", f"((real){1 / (1 - self.ratio)!r}f)"),
        )
        args = (In(0), In(1), In(2), Out())
        size = grid(ceil_div(x.size, 2))
        return [Candidate("philox", (KernelCall("dropout", "dropout", args, size, None, defines),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return build.add(self, grads[0], *node.inputs[1:]), *(None for _ in node.inputs[1:])

    @classmethod
    def cases(cls) -> Iterable[Case]:
        random = Arg((), "uint32", values=4000000000), Arg((), "int32", values=7)
        for ratio in (0.0, 0.5, 0.9):
            yield Case(cls(ratio, layer=3), (Arg((3, 41)), *random), differentiable=True)
        yield Case(cls(0.5), (Arg((3, 41)),), differentiable=True)
