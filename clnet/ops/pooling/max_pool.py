"""MaxPool: the largest element of each window, and where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.ops.pooling.kernels import pool
from clnet.ops.pooling.max_pool_gradient import MaxPoolGradient
from clnet.ops.pooling.windows import Axis, axes_of, windows
from clnet.ops.reduce import lowest
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class MaxPool(Op):
    """The maximum of each window over x[N, C, *spatial]; padding never counts.

    ``pads``: begins, then ends. With ``indices`` a second output (int64) gives the first maximum's
    element number in x; ``storage_order`` 1 numbers the spatial part column by column.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    ceil_mode: bool = False
    indices: bool = False
    storage_order: int = 0

    def axes(self, x: TensorSpec) -> list[Axis]:
        """The windows over ``x``."""
        return axes_of(x, self.kernel, self.strides, self.pads, self.dilations, self.ceil_mode)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 3)
        y = x.with_shape((*x.shape[:2], *(a.count for a in self.axes(x))))
        return (y, y.with_dtype("int64")) if self.indices else (y,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        spec = TensorSpec.of(x)
        order: Literal["C", "F"] = "C" if self.storage_order == 0 else "F"
        spatial = np.arange(math.prod(x.shape[2:])).reshape(x.shape[2:], order=order)
        images = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2]) * spatial.size
        y = np.full(self.infer(spec)[0].shape, lowest(x.dtype), x.dtype)
        where = np.zeros(y.shape, np.int64)
        for position, taps in windows(self.axes(spec)):
            grid = np.ix_(
                *(
                    [t for t in axis if 0 <= t < size]
                    for axis, size in zip(taps, spec.shape[2:], strict=True)
                )
            )
            elements: tuple[Any, ...] = (slice(None), slice(None), *grid)
            target: tuple[Any, ...] = (..., *position)
            values = x[elements].reshape(*x.shape[:2], -1)
            if values.size:
                y[target] = values.max(-1)
                where[target] = images + spatial[grid].ravel()[values.argmax(-1)]
        return (y, where) if self.indices else (y,)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        order = self.storage_order if self.indices else None
        return [Candidate("pool", (pool(x, self.axes(x), device, index_order=order),))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        x, y = node.inputs[0], node.output
        op = MaxPoolGradient(self.kernel, self.strides, self.pads, self.dilations, self.ceil_mode)
        return (build.add(op, x, y, grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls((3, 3), (2, 2), (1, 1, 1, 1), (1, 1)), (Arg((2, 3, 13, 43)),),
                   differentiable=True)  # fmt: skip
        yield Case(cls((2, 3), (1, 1), (0, 1, 1, 0), (1, 2)), (Arg((1, 2, 5, 21)),))
        yield Case(cls((2, 2), (3, 3), (0, 0, 0, 0), (1, 1), True), (Arg((1, 2, 7, 8)),))
        yield Case(cls((3,), (2,), (1, 1), (2,)), (Arg((2, 3, 40)),))
        yield Case(
            cls((2, 3, 2), (2, 1, 2), (1, 1, 0, 0, 1, 1), (1, 1, 1)),
            (Arg((1, 2, 4, 5, 9)),),
            differentiable=True,
        )
        for order in (0, 1):
            op = cls((3, 2), (2, 1), (1, 1, 1, 0), (1, 2), False, True, order)
            yield Case(op, (Arg((2, 3, 6, 5)),))
        yield Case(cls((2, 2), (2, 2), (0, 1, 1, 0), (1, 1)), (Arg((1, 2, 5, 5), "uint8", 0, 255),))
        yield Case(cls((2, 2), (1, 1), (0, 0, 0, 0), (1, 1)), (Arg((1, 2, 5, 5), "int8", -90, 9),))
