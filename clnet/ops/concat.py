"""Concat: inputs one behind the other along an axis."""

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
from clnet.ops.lowering import strides_of
from clnet.ops.slice import Slice
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Concat(Op):
    """Joins any number of inputs along ``axis``. Where the axis is the outermost one that has
    more than one element, each input is computed straight into its place."""

    axis: int

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        specs = [s for s in inputs if s is not None]
        first = specs[0]
        axis = normal_axis(self.axis, first.rank)
        for s in specs:
            alike = s.rank == first.rank and s.dtype == first.dtype
            if not alike or any(
                s.shape[d] != first.shape[d] for d in range(first.rank) if d != axis
            ):
                raise ShapeError(f"cannot join {s} to {first} along axis {axis}")
        joined = sum(s.shape[axis] for s in specs)
        return (first.with_shape((*first.shape[:axis], joined, *first.shape[axis + 1 :])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.concatenate([a for a in inputs if a is not None], self.axis),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        y = workload.output
        axis = normal_axis(self.axis, y.rank)
        strides = strides_of(y.shape)
        contiguous = math.prod(y.shape[:axis]) == 1
        calls: list[KernelCall] = []
        placements = []
        start = 0
        for i in range(len(workload.inputs)):
            spec = workload.input(i)
            if not spec.size:
                continue
            view = View(strides, start * strides[axis])
            if contiguous:
                offset = view.offset * y.itemsize
                placements.append(Placement(In(i), Out(), offset, replaces=len(calls)))
            source = View.of(spec.shape)
            calls.append(copy_call(In(i), Out(), y.itemsize, spec.shape, source, view, device))
            start += spec.shape[axis]
        return [Candidate("copy", tuple(calls), placements=tuple(placements))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (grad,) = grads
        pieces, start = [], 0
        for value in node.inputs:
            assert value is not None
            end = start + value.spec.shape[self.axis]
            pieces.append(build.add(Slice((start,), (end,), (self.axis,)), grad))
            start = end
        return tuple(pieces)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(1), (Arg((2, 3, 5)), Arg((2, 1, 5)), Arg((2, 4, 5))), differentiable=True)
        yield Case(cls(1), (Arg((1, 3, 32)), Arg((1, 0, 32)), Arg((1, 2, 32))))
        yield Case(cls(-1), (Arg((7, 3), "int64", -9, 9), Arg((7, 1), "int64", -9, 9)))
