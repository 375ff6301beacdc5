"""Slice: a regular subset of each axis, backwards too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis
from clnet.ops.lowering import strides_of
from clnet.ops.pad import Pad
from clnet.ops.resize_tables import AxisTable
from clnet.ops.sampling_gradient import sampling_vjp
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Slice(Op):
    """``x[starts:ends:steps]`` along ``axes`` with ONNX's rules, which are Python's: negative
    positions count from the end, and all are clamped. No axes: the first ones; no steps: 1."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    axes: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()

    def ranges(self, shape: Sequence[int]) -> list[range]:
        """The positions taken from each axis of a tensor of this shape."""
        axes = self.axes or tuple(range(len(self.starts)))
        steps = self.steps or (1,) * len(self.starts)
        if not len(self.starts) == len(self.ends) == len(axes) == len(steps):
            raise ShapeError("starts, ends, axes and steps differ in length")
        taken = [range(d) for d in shape]
        for start, end, axis, step in zip(self.starts, self.ends, axes, steps, strict=True):
            axis = normal_axis(axis, len(shape))
            if step == 0:
                raise ShapeError("a slice's step is 0")
            taken[axis] = range(*slice(start, end, step).indices(shape[axis]))
        return taken

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        return (x.with_shape(tuple(len(r) for r in self.ranges(x.shape))),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (x[np.ix_(*(np.array(r, int) for r in self.ranges(x.shape)))],)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, y = workload.input(0), workload.output
        taken = self.ranges(x.shape)
        strides = strides_of(x.shape)
        view = View(
            tuple(r.step * s for r, s in zip(taken, strides, strict=True)),
            sum(r.start * s for r, s in zip(taken, strides, strict=True)),
        )
        call = copy_call(In(), Out(), x.itemsize, y.shape, view, View.of(y.shape), device)
        placements: tuple[Placement, ...] = ()
        if _contiguous(y.shape, view.strides):
            placements = (Placement(Out(), In(), view.offset * x.itemsize, 0),)
        return [Candidate("copy", (call,), placements=placements)]

    def elements(self, workload: Workload) -> int:
        return 2 * workload.output.size

    def tables(self, shape: tuple[int, ...]) -> dict[int, AxisTable]:
        """For each axis that is cut, which element of x each element of the output is."""
        taken = enumerate(zip(self.ranges(shape), shape, strict=True))
        return {
            axis: AxisTable(
                np.array(chosen, np.int64)[:, None], np.ones((len(chosen), 1)),
                np.zeros(len(chosen), bool),
            )
            for axis, (chosen, extent) in taken
            if chosen != range(extent)
        }  # fmt: skip

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (x,) = node.inputs
        assert x is not None
        taken = self.ranges(x.spec.shape)
        if any(r.step != 1 for r in taken):
            return (sampling_vjp(build, node, grads[0]),)
        before = tuple(r.start for r in taken)
        after = tuple(d - r.stop for d, r in zip(x.spec.shape, taken, strict=True))
        return (build.add(Pad((*before, *after)), grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls((1, 2), (3, -1), (1, 2)), (Arg((2, 5, 9)),), differentiable=True)
        backwards = cls((-1, 9), (-99, 0), (0, -1), (-1, -3))
        yield Case(backwards, (Arg((4, 3, 11)),), differentiable=True)
        yield Case(cls((32,), (64,)), (Arg((96, 1)),))
        yield Case(cls((0,), (99,), (1,), (2,)), (Arg((3, 7), "bool"),))


def _contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether elements lie one behind the other."""
    natural = strides_of(shape)
    return math.prod(shape) > 0 and all(
        d == 1 or s == n for d, s, n in zip(shape, strides, natural, strict=True)
    )
