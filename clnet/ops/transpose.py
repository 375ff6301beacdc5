"""Transpose: dimensions in another order."""

from __future__ import annotations

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
class Transpose(Op):
    """y's dimension i is x's dimension ``perm[i]``."""

    perm: tuple[int, ...]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        if sorted(self.perm) != list(range(x.rank)):
            raise ShapeError(f"perm {list(self.perm)} does not permute rank {x.rank}")
        return (x.with_shape(tuple(x.shape[p] for p in self.perm)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.ascontiguousarray(x.transpose(self.perm)),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, y = workload.input(0), workload.output
        read, write = View.of(x.shape).permuted(self.perm), View.of(y.shape)
        call = copy_call(In(), Out(), x.itemsize, y.shape, read, write, device)
        moved = [p for p in self.perm if x.shape[p] > 1]
        in_order = moved == sorted(moved)
        placements = (Placement(Out(), In(), 0, 0),) if in_order else ()
        return [Candidate("copy", (call,), placements=placements)]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        inverse = tuple(self.perm.index(d) for d in range(len(self.perm)))
        return (build.add(Transpose(inverse), grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for perm, shape in (
            ((1, 0), (37, 53)),
            ((0, 2, 3, 1), (2, 3, 7, 11)),
            ((0, 3, 1, 2), (1, 9, 21, 17)),
            ((3, 0, 2, 1), (2, 18, 5, 20)),
            ((2, 0, 1), (1, 5, 1)),
        ):
            yield Case(cls(perm), (Arg(shape),), differentiable=len(shape) == 4)
        yield Case(cls((0, 2, 1, 3)), (Arg((2, 3, 5, 16), "uint8", 0, 255),))
        yield Case(cls((1, 0)), (Arg((19, 33), "int64", -9, 9),))
