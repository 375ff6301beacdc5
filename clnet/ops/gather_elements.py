"""GatherElements: elements picked one by one along an axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, present
from clnet.ops.elementwise import calculate
from clnet.ops.lowering import grid, index_text, strides_of
from clnet.ops.strided_copy import CARRIERS
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class GatherElements(Op):
    """y[.., i, ..] = x[.., indices[.., i, ..], ..] along ``axis``, over all of indices (int32 or
    int64), which are not larger than x elsewhere. Negative indices count from the end; what is
    still outside is clamped."""

    axis: int = 0

    spellings: ClassVar = {"onnx": {"GatherElements": {"axis": "axis"}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, indices = present(inputs[0], "x", 1), present(inputs[1], "indices")
        check_places(x, indices, self.axis)
        if indices.size and not x.size:
            raise ShapeError(f"nothing to gather from {x}")
        return (x.with_shape(indices.shape),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, indices = inputs
        assert x is not None and indices is not None
        axis, n = normal_axis(self.axis, x.ndim), x.shape[self.axis]
        inside = x[tuple(slice(None if d == axis else e) for d, e in enumerate(indices.shape))]
        places = np.clip(np.where(indices < 0, indices + n, indices), 0, n - 1)
        return (np.take_along_axis(inside, places, axis),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, indices, y = workload.input(0), workload.input(1), workload.output
        axis = normal_axis(self.axis, x.rank)
        strides = strides_of(x.shape)
        others = [0 if d == axis else s for d, s in enumerate(strides)]
        defines = (
            ("ELEMENT", CARRIERS[x.itemsize]),
            ("INDEX_WORDS", indices.itemsize // 4),
            ("EXTENT", x.shape[axis]),
            ("STEP", strides[axis]),
            ("BASE(i)", index_text(y.shape, others)),
            ("SIZE", y.size),
        )
        name, args = "gather_elements", (In(0), In(1), Out())
        return [Candidate(name, (KernelCall(name, name, args, grid(y.size), None, defines),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        from clnet.ops.scatter_elements import ScatterElements  # each needs the other

        x, indices = node.inputs
        assert x is not None
        extent = x.spec.shape[self.axis]
        inside = calculate(build, "Clip", indices, min=-extent, max=extent - 1)
        zeros = build.constant(np.zeros(x.spec.shape, x.spec.dtype))
        return build.add(ScatterElements(self.axis, "add"), zeros, inside, grads[0]), None

    @classmethod
    def cases(cls) -> Iterable[Case]:
        wild = Arg((2, 7, 3), "int64", -7, 9)
        yield Case(cls(1), (Arg((2, 4, 3)), wild), differentiable=True)
        yield Case(cls(-1), (Arg((3, 9, 5), "uint8", 0, 255), wild))
        yield Case(cls(0), (Arg((6,), "int64", -(2**40), 2**40), Arg((9,), "int32", -6, 6)))


def check_places(x: TensorSpec, indices: TensorSpec, axis: int) -> None:
    """Indices along ``axis`` of x fit. Raises ShapeError."""
    axis = normal_axis(axis, x.rank)
    if indices.dtype not in ("int32", "int64"):
        raise ShapeError(f"indices are {indices.dtype}, not int32 or int64")
    if indices.rank != x.rank or any(
        i > d for n, (i, d) in enumerate(zip(indices.shape, x.shape, strict=True)) if n != axis
    ):
        raise ShapeError(f"indices {indices} along axis {axis} of {x}")
