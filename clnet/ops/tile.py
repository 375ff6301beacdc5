"""Tile: a tensor repeated along its axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.lowering import strides_of
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Tile(Op):
    """x ``repeats[i]`` times along axis i."""

    repeats: tuple[int, ...]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        if len(self.repeats) != x.rank:
            raise ShapeError(f"{len(self.repeats)} repeats for rank {x.rank}")
        return (x.with_shape(tuple(d * r for d, r in zip(x.shape, self.repeats, strict=True))),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.tile(x, self.repeats),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        # every axis becomes two: the repeat, which stays in place in the source, and x's own
        shape = [n for pair in zip(self.repeats, x.shape, strict=True) for n in pair]
        view = View(tuple(s for stride in strides_of(x.shape) for s in (0, stride)))
        call = copy_call(In(), Out(), x.itemsize, shape, view, View.of(shape), device)
        return [Candidate("copy", (call,))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (x,) = node.inputs
        assert x is not None
        # every axis becomes two: the repeats, which are summed, and x's own
        pairs = tuple(n for pair in zip(self.repeats, x.spec.shape, strict=True) for n in pair)
        split = build.add(Reshape(pairs), grads[0])
        total = build.add(Reduce("Sum", tuple(range(0, len(pairs), 2)), keepdims=False), split)
        return (total,)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls((2, 1, 3)), (Arg((2, 3, 5)),), differentiable=True)
        yield Case(cls((3, 1)), (Arg((1, 40), "int16", -9, 9),))
