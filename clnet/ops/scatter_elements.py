"""ScatterElements: elements put one by one to places along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.calls import Candidate, Define, HostCall, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, present
from clnet.ops.gather_elements import check_places
from clnet.ops.lowering import STORAGE_TYPES, float_defines, grid, index_text, strides_of
from clnet.ops.scatter_gradient import scatter_vjp
from clnet.ops.strided_copy import CARRIERS, View, copy_call
from clnet.tensor_spec import TensorSpec

#: How an update joins what is there: OpenCL C over a and b, and NumPy.
REDUCTIONS: dict[str, tuple[str, Callable[..., Any] | None]] = {
    "none": ("(b)", None),
    "add": ("((a) + (b))", np.add),
    "mul": ("((a) * (b))", np.multiply),
    "max": ("((a) > (b) || (a) != (a) ? (a) : (b))", np.maximum),
    "min": ("((a) < (b) || (a) != (a) ? (a) : (b))", np.minimum),
}


@register
@dataclass(frozen=True)
class ScatterElements(Op):
    """A copy of x in which each of the updates went to its index (int32 or int64) along ``axis``.

    Indices have the updates' shape, or ones in it, and are not larger than x except along the axis.
    Of several at one place, the last stays; or they add up and so on, by ``reduction``. Negative
    indices count from the end; what is still outside is left out.
    """

    axis: int = 0
    reduction: str = "none"

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, indices = present(inputs[0], "x", 1), present(inputs[1], "indices")
        updates = present(inputs[2], "updates")
        check_places(x, indices.with_shape(updates.shape), self.axis)
        fits = indices.rank == updates.rank and all(
            i in (1, u) for i, u in zip(indices.shape, updates.shape, strict=True)
        )
        if updates.dtype != x.dtype or not fits:
            raise ShapeError(f"updates {updates} at indices {indices} of {x}")
        if self.reduction not in REDUCTIONS:
            raise ShapeError(f"unknown reduction {self.reduction}")
        if x.dtype == "bool" and self.reduction != "none":
            raise ShapeError(f"{self.reduction} of bool")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, indices, updates = inputs
        assert x is not None and indices is not None and updates is not None
        axis, n = normal_axis(self.axis, x.ndim), x.shape[self.axis]
        wanted = np.broadcast_to(np.where(indices < 0, indices + n, indices), updates.shape)
        inside = (wanted >= 0) & (wanted < n)
        places = list(np.nonzero(inside))
        places[axis] = wanted[inside]
        y, join = x.copy(), REDUCTIONS[self.reduction][1]
        if join is None:
            y[tuple(places)] = updates[inside]
        else:
            join.at(y, tuple(places), updates[inside])  # type: ignore[attr-defined]
        return (y,)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, indices, updates = (workload.input(i) for i in range(3))
        if x.dtype == "float64" and not device.fp64 and self.reduction != "none":
            operands = (In(0), In(1), In(2))
            return [Candidate("host", (HostCall(self.reference, operands, (Out(),)),))]
        whole = View.of((x.size,))
        copy = copy_call(In(), Out(), x.itemsize, (x.size,), whole, whole, device)
        if not updates.size:
            return [Candidate("copy", (copy,))]
        scatter = self._scatter(x, indices, updates, device)
        return [Candidate("scatter_elements", (copy, scatter))]

    def _scatter(
        self, x: TensorSpec, indices: TensorSpec, updates: TensorSpec, device: DeviceInfo
    ) -> KernelCall:
        """A work-item for each row along the axis: rows never meet, and their order is kept."""
        axis = normal_axis(self.axis, x.rank)
        rows = [d for i, d in enumerate(updates.shape) if i != axis]

        def walk(shape: tuple[int, ...]) -> tuple[str, int]:
            steps = [0 if d == 1 else s for d, s in zip(shape, strides_of(shape), strict=True)]
            along = steps.pop(axis)
            return index_text(rows, steps, "(o)"), along

        names = zip(("TARGET", "INDEX", "UPDATE"), (x, indices, updates), strict=True)
        walks = {name: walk(spec.shape) for name, spec in names}
        kind: tuple[Define, ...] = (("ELEMENT", STORAGE_TYPES[x.dtype]),)
        if self.reduction == "none":
            kind = (("ELEMENT", CARRIERS[x.itemsize]),)
        elif x.is_float:
            kind = float_defines(x.dtype, device)
        defines = (
            *kind,
            ("JOIN(a, b)", REDUCTIONS[self.reduction][0]),
            ("INDEX_WORDS", indices.itemsize // 4),
            ("ROWS", math.prod(rows)),
            ("COUNT", updates.shape[axis]),
            ("EXTENT", x.shape[axis]),
            *((f"{name}(o)", f"({text})") for name, (text, _) in walks.items()),
            *((f"{name}_STEP", along) for name, (_, along) in walks.items()),
        )
        args = (In(1), In(2), Out())
        size = grid(math.prod(rows))
        return KernelCall("scatter_elements", "scatter_elements", args, size, None, defines)

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return scatter_vjp(build, self, node, grads[0])

    @classmethod
    def cases(cls) -> Iterable[Case]:
        wild = Arg((2, 7, 3), "int64", -6, 7)
        for reduction in REDUCTIONS:
            floats = Arg((2, 4, 3)), wild, Arg((2, 7, 3))
            yield Case(cls(1, reduction), floats, differentiable=True)
            column = Arg((4, 3)), Arg((3, 1), "int32", -4, 4), Arg((3, 3))
            yield Case(cls(0, reduction), column, differentiable=True)
            integers = Arg((5, 9), "int32", -9, 9), Arg((3, 1), "int32", -5, 5)
            yield Case(cls(0, reduction), (*integers, Arg((3, 9), "int32", -9, 9)))
        pairs = Arg((6, 2), "int64", -(2**40), 2**40), Arg((3, 2), "int64", -(2**40), 2**40)
        yield Case(cls(0), (pairs[0], Arg((3, 2), "int32", 0, 6), pairs[1]))
        yield Case(cls(0), (Arg((6,), "bool"), Arg((0,), "int32"), Arg((0,), "bool")))
