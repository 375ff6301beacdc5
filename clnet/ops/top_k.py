"""TopK: the largest or smallest elements along an axis. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis
from clnet.ops.scatter_elements import ScatterElements
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class TopK(Op):
    """The ``k`` largest (or smallest) values along ``axis``, best first, and their int64 indices.
    Of equal values the one with the lower index comes first. ``sorted`` False leaves the order
    open, so it changes nothing here."""

    k: int
    axis: int = -1
    largest: bool = True
    sorted: bool = True

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        axis = normal_axis(self.axis, x.rank)
        if not 0 <= self.k <= x.shape[axis]:
            raise ShapeError(f"cannot take {self.k} of {x.shape[axis]} elements")
        shape = (*x.shape[:axis], self.k, *x.shape[axis + 1 :])
        return (x.with_shape(shape), TensorSpec(shape, "int64"))

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        if self.largest:  # ascending order of the mirror image, mirrored: ties keep their order
            last = x.shape[self.axis] - 1
            order = last - np.flip(
                np.argsort(np.flip(x, self.axis), self.axis, "stable"), self.axis
            )
        else:
            order = np.argsort(x, self.axis, "stable")
        order = order.take(np.arange(self.k), self.axis)
        return np.take_along_axis(x, order, self.axis), order.astype(np.int64)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(),), (Out(0), Out(1))),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (x,) = node.inputs
        assert x is not None
        zeros = build.constant(np.zeros(x.spec.shape, x.spec.dtype))
        return (build.add(ScatterElements(self.axis), zeros, node.outputs[1], grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(3, axis=1), (Arg((2, 7, 3)),), differentiable=True)
        yield Case(cls(4, largest=False), (Arg((3, 9), "int64", 0, 4),))
        yield Case(cls(5), (Arg((3, 9), "int32", 0, 4),))
