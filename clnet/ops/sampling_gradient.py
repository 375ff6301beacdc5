"""The gradient of ops that sample each axis by a table: resizing, padding, average pooling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.calls import Candidate, In, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.axis_sums import weigh_axes
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.resize_tables import AxisTable, transposed
from clnet.ops.strided_copy import View, copy_call
from clnet.tensor_spec import TensorSpec


def sampling_vjp(build: GraphBuilder, node: Node, grad: Value | None) -> Value | None:
    """The gradient of the only input of such a node."""
    (x,) = node.inputs
    assert x is not None
    result: Value = build.add(SamplingGradient(node.op, x.spec.shape), grad)
    return result


@register
@dataclass(frozen=True)
class SamplingGradient(Op):
    """dx = along each axis the transposed table of ``sampling``, an op whose ``tables(shape)`` say
    which elements and weights of x[``shape``] make up each element of its output."""

    sampling: Any
    shape: tuple[int, ...]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        dy = present(inputs[0], "dy")
        one_float_dtype(dy)
        x = dy.with_shape(self.shape)
        if self.sampling.infer(x) != (dy,):
            raise ShapeError(f"{dy} is not the gradient of {self.sampling.label} of {x}")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (dy,) = inputs
        assert dy is not None
        dx = dy.astype(np.float64)
        for axis, table in self._tables().items():
            rows = np.moveaxis(dx, axis, 0)
            result = np.zeros((self.shape[axis], *rows.shape[1:]))
            for o in np.flatnonzero(~table.outside):
                for i, weight in zip(table.indices[o], table.weights[o], strict=True):
                    result[i] += weight * rows[o]
            dx = np.moveaxis(result, 0, axis)
        return (dx.astype(dy.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        dy, dx = workload.input(0), workload.output
        tables = {a: transposed(t, self.shape[a]) for a, t in self._tables().items()}
        if tables:
            return [weigh_axes(dy, dx.shape, tables, 0.0, device)]
        whole = View.of((dy.size,))
        call = copy_call(In(), Out(), dy.itemsize, (dy.size,), whole, whole, device)
        return [Candidate("copy", (call,), placements=(Placement(Out(), In(), 0, 0),))]

    def _tables(self) -> dict[int, AxisTable]:
        tables: dict[int, AxisTable] = self.sampling.tables(self.shape)
        return tables

    @classmethod
    def cases(cls) -> Iterable[Case]:
        from clnet.ops.pad import Pad
        from clnet.ops.pooling import AveragePool
        from clnet.ops.resize import Resize

        for sampling, shape in (
            (Resize((1, 2, 10, 12), coordinate_mode="asymmetric"), (1, 2, 5, 6)),
            (Resize((1, 2, 11, 4), mode="linear"), (1, 2, 5, 6)),
            (Resize((1, 2, 3, 4), mode="cubic", antialias=True), (1, 2, 5, 6)),
            (Pad((0, 2, 3, 0, 1, 4), "reflect"), (2, 3, 5)),
            (AveragePool((3, 3), (2, 1), (1, 0, 1, 0), (1, 1)), (2, 3, 9, 16)),
            (Pad((0, 0)), (7,)),
        ):
            (dy,) = sampling.infer(TensorSpec(shape))
            yield Case(cls(sampling, shape), (Arg(dy.shape),))
