"""Determinant of matrices. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.host_gradient import host_vjp
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Determinant(Op):
    """x[..., N, N] → y[...]."""

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 2)
        one_float_dtype(x)
        if x.shape[-1] != x.shape[-2]:
            raise ShapeError(f"the determinant of {x}")
        return (x.with_shape(x.shape[:-2]),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.asarray(np.linalg.det(x.astype(np.float64))).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(),), (Out(),)),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return host_vjp(build, node, grads[0])

    def pull_back(self, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """The gradient of x: cofactors, which singular matrices have, too."""
        u, singular, v = np.linalg.svd(x.astype(np.float64))
        count = x.shape[-1]
        others = np.where(np.eye(count, dtype=bool), 1, singular[..., None, :]).prod(-1)
        turned = np.linalg.det(u) * np.linalg.det(v)
        cofactors = (u * others[..., None, :]) @ v
        result: np.ndarray = cofactors * (turned * dy)[..., None, None]
        return result

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(), (Arg((2, 3, 4, 4)),), differentiable=True)
        yield Case(cls(), (Arg(values=[[1, 2], [2, 4]]),), differentiable=True)
        yield Case(cls(), (Arg((1, 1)),))
