"""Conv: convolution over one to three spatial dimensions, with groups, bias and epilogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Case, Op, register
from clnet.ops.conv.cases import conv_cases
from clnet.ops.conv.choice import candidates
from clnet.ops.conv.geometry import check_attributes, output_size
from clnet.ops.conv.gradient import conv_vjp
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.expression import Expression
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Conv(Op):
    """y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p * stride + k * dilation
    - pad]).

    Inputs x[N, C, *S], w[M, C / groups, *K], b[M] or None, then the epilogue's extras. ``pads``
    lists the zeros ahead of each dimension, then those behind.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, w, b = inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
        assert x is not None and w is not None
        rank = x.rank - 2
        check_attributes(rank, self.strides, self.pads, self.dilations, self.groups)
        if w.rank != x.rank or w.size == 0 or w.shape[1] * self.groups != x.shape[1]:
            raise ShapeError(f"weights {list(w.shape)} in {self.groups} groups do not fit {x}")
        if w.shape[0] % self.groups:
            raise ShapeError(f"{w.shape[0]} output channels do not divide by {self.groups}")
        if b is not None and b.shape != (w.shape[0],):
            raise ShapeError(f"bias {list(b.shape)} does not fit {w.shape[0]} output channels")
        if not x.is_float or any(s is not None and s.dtype != x.dtype for s in inputs):
            raise ShapeError("inputs are not all of one floating dtype")
        out = tuple(
            output_size(x.shape[2 + i], w.shape[2 + i], self.strides[i],
                        self.pads[i] + self.pads[rank + i], self.dilations[i])
            for i in range(rank)
        )  # fmt: skip
        if min(out) < 1:
            raise ShapeError(f"kernel {list(w.shape[2:])} is larger than the padded input {x}")
        return (x.with_shape((x.shape[0], w.shape[0], *out)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, w, b = inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
        extras = [a for a in inputs[3:] if a is not None]
        assert x is not None and w is not None
        (spec,) = self.infer(*(None if a is None else TensorSpec.of(a) for a in inputs))
        rank, out = x.ndim - 2, spec.shape[2:]
        padding = [(0, 0), (0, 0), *zip(self.pads[:rank], self.pads[rank:], strict=True)]
        padded = np.pad(x, padding)
        padded = padded.reshape(x.shape[0], self.groups, w.shape[1], *padded.shape[2:])
        kernels = w.reshape(self.groups, -1, *w.shape[1:])
        y = np.zeros((x.shape[0], self.groups, kernels.shape[1], *out))
        for tap in product(*map(range, w.shape[2:])):
            window = (
                slice(k * d, k * d + (o - 1) * s + 1, s)
                for k, d, o, s in zip(tap, self.dilations, out, self.strides, strict=True)
            )
            where: tuple[Any, ...] = (..., *window)
            weights: tuple[Any, ...] = (..., *tap)
            values = padded[where].astype(np.float64)
            y += np.einsum("ngc...,gmc->ngm...", values, kernels[weights])
        y = y.reshape(spec.shape)
        if b is not None:
            y += b.reshape(-1, *(1,) * rank)
        y = y.astype(x.dtype)
        return (self.epilogue.evaluate(y, *extras) if self.epilogue.steps else y,)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return candidates(ConvProblem.of(workload, device))

    def kind(self, workload: Workload) -> str:
        x, w = workload.input(0), workload.input(1)
        size = "x".join(map(str, w.shape[2:]))
        if self.groups == 1:
            return f"Conv {size}"
        return f"Conv {size} {'depthwise' if self.groups == x.shape[1] else 'grouped'}"

    def multiply_adds(self, workload: Workload) -> int:
        weights = workload.input(1)
        return workload.output.size * (weights.size // weights.shape[0])

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return conv_vjp(build, node, grads[0])

    @classmethod
    def cases(cls) -> Iterable[Case]:
        return conv_cases(cls)
