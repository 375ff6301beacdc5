"""Reshape: the same elements in the same order under another shape."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Reshape(Op):
    """Gives x the fully known ``shape``; also what Flatten, Squeeze and Unsqueeze become."""

    shape: tuple[int, ...]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        result = x.with_shape(self.shape)
        if result.size != x.size:
            raise ShapeError(f"cannot reshape {list(x.shape)} to {list(self.shape)}")
        return (result,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        if x.size == math.prod(self.shape):
            return (x.reshape(self.shape),)
        longest = self.shape.index(max(self.shape))  # fewer elements than planned: see Op.varies
        return (x.reshape([-1 if i == longest else d for i, d in enumerate(self.shape)]),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        spec = workload.output
        whole = View.of((spec.size,))
        call = copy_call(In(), Out(), spec.itemsize, (spec.size,), whole, whole, device)
        return [Candidate("copy", (call,), placements=(Placement(Out(), In(), 0, 0),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (x,) = node.inputs
        assert x is not None
        return (build.add(Reshape(x.spec.shape), grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls((5, 6, 1)), (Arg((2, 3, 5)),), differentiable=True)
        yield Case(cls((77,)), (Arg((7, 11), "uint8", 0, 9),))
