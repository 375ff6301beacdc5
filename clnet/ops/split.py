"""Split: consecutive parts of a tensor along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis
from clnet.ops.concat import Concat
from clnet.ops.lowering import strides_of
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Split(Op):
    """Cuts x into parts of ``sizes`` along ``axis``. Along the outermost axis that has more than
    one element the parts are read where they stand."""

    axis: int
    sizes: tuple[int, ...]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        axis = normal_axis(self.axis, x.rank)
        if sum(self.sizes) != x.shape[axis]:
            raise ShapeError(f"parts {list(self.sizes)} do not add up to {x.shape[axis]}")
        return tuple(x.with_shape((*x.shape[:axis], n, *x.shape[axis + 1 :])) for n in self.sizes)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return tuple(np.split(x, np.cumsum(self.sizes)[:-1], self.axis))

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        axis = normal_axis(self.axis, x.rank)
        strides = strides_of(x.shape)
        contiguous = math.prod(x.shape[:axis]) == 1
        calls: list[KernelCall] = []
        placements = []
        start = 0
        for i, part in enumerate(workload.outputs):
            if not part.size:
                continue
            view = View(strides, start * strides[axis])
            if contiguous:
                offset = view.offset * x.itemsize
                placements.append(Placement(Out(i), In(), offset, replaces=len(calls)))
            target = View.of(part.shape)
            calls.append(copy_call(In(), Out(i), x.itemsize, part.shape, view, target, device))
            start += part.shape[axis]
        return [Candidate("copy", tuple(calls), placements=tuple(placements))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        parts = [
            g if g is not None else build.constant(np.zeros(v.spec.shape, v.spec.dtype))
            for g, v in zip(grads, node.outputs, strict=True)
        ]
        return (build.add(Concat(self.axis), *parts),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(1, (1, 3, 2)), (Arg((2, 6, 5)),), differentiable=True)
        yield Case(cls(0, (32, 0, 64)), (Arg((96,)),))
        yield Case(cls(-1, (4, 4)), (Arg((3, 8), "uint8", 0, 255),))
