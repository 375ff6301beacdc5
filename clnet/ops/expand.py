"""Expand: broadcasting made real."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.lowering import strides_of
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Expand(Op):
    """x broadcast together with ``shape``: either may have ones or fewer dimensions."""

    shape: tuple[int, ...]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        return (x.with_shape(np.broadcast_shapes(x.shape, self.shape)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.broadcast_to(x, np.broadcast_shapes(x.shape, self.shape)).copy(),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, y = workload.input(0), workload.output
        padded = (1,) * (y.rank - x.rank) + x.shape
        strides = (s if d > 1 else 0 for s, d in zip(strides_of(padded), padded, strict=True))
        view = View(tuple(strides))
        call = copy_call(In(), Out(), x.itemsize, y.shape, view, View.of(y.shape), device)
        placements = (Placement(Out(), In(), 0, 0),) if x.size == y.size else ()
        return [Candidate("copy", (call,), placements=placements)]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return grads  # autodiff sums over what was repeated

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls((2, 1, 6)), (Arg((3, 1)),), differentiable=True)
        yield Case(cls((4, 3, 1)), (Arg((3, 35), "int64", -9, 9),))
        yield Case(cls((1, 1)), (Arg((7,)),))
