"""MaxPoolGradient: hands each window's gradient to its first maximum.

The maximum is found again from x and y; nothing is kept from the forward pass but what it had.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.lowering import float_defines, grid
from clnet.ops.pooling.windows import Axis, axes_of, windows
from clnet.ops.rows import fitting_width
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class MaxPoolGradient(Op):
    """dx[i] = the sum of dy over all windows whose first maximum is x[i].

    Inputs: x, y and dy of a MaxPool with these attributes.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    ceil_mode: bool = False

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, y, dy = (present(s, n, 3) for s, n in zip(inputs, ("x", "y", "dy"), strict=True))
        one_float_dtype(x, y, dy)
        pooled = (*x.shape[:2], *(a.count for a in self._axes(x)))
        if not y.shape == dy.shape == pooled:
            raise ShapeError(f"{y} and {dy} are not the pooled {x}")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, _, dy = inputs
        assert x is not None and dy is not None
        dx = np.zeros(x.shape)
        whole, maps = (slice(None),) * 2, tuple(np.indices(x.shape[:2]))
        for position, taps in windows(self._axes(TensorSpec.of(x))):
            inside = [
                [t for t in axis if 0 <= t < n] for axis, n in zip(taps, x.shape[2:], strict=True)
            ]
            if not all(inside):
                continue
            grid = np.ix_(*inside)
            values = x[whole + grid]
            first = values.reshape(*x.shape[:2], -1).argmax(-1)
            where = np.unravel_index(first, values.shape[2:])
            spot = tuple(np.asarray(t)[w] for t, w in zip(inside, where, strict=True))
            dx[maps + spot] += dy[whole + position]
        return (dx.astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        axes = self._axes(x)
        numbers = {
            "IN": [a.size for a in axes], "OUT": [a.count for a in axes],
            "KERNEL": [a.kernel for a in axes], "STRIDE": [a.stride for a in axes],
            "DILATION": [a.dilation for a in axes], "PAD": [a.begin for a in axes],
        }  # fmt: skip
        triples: list[Define] = [
            (f"{stem}_{name}", value)
            for stem, values in numbers.items()
            for name, value in zip("DHW", [*[int(stem != "PAD")] * (3 - len(axes)), *values],
                                   strict=True)  # the missing leading dimensions
        ]  # fmt: skip
        width = fitting_width(axes[-1].count, device)
        defines = (*float_defines(x.dtype, device), *triples, ("VW", width), ("SIZE", x.size))
        args, name = (In(0), In(1), In(2), Out()), "max_pool_gradient"
        gather = Candidate("gather", (KernelCall(name, name, args, grid(x.size), None, defines),))
        if any(a.stride < a.kernel or a.dilation > 1 for a in axes):
            return [gather]
        lines = x.shape[0] * x.shape[1] * math.prod(a.count for a in axes[:-1])
        call = KernelCall(name, f"{name}_windows", args, grid(lines), None, defines)
        windows = Candidate("windows", (call,))
        return [windows, gather] if device.is_cpu else [gather, windows]

    def _axes(self, x: TensorSpec) -> list[Axis]:
        return axes_of(x, self.kernel, self.strides, self.pads, self.dilations, self.ceil_mode)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        from clnet.ops.pooling.max_pool import MaxPool

        rng = np.random.default_rng(1)
        for shape, *attributes in (
            ((2, 3, 8, 8), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
            ((2, 3, 7, 41), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
            ((2, 2, 9, 11), (3, 3), (2, 2), (1, 1, 1, 1), (1, 1)),
            ((1, 3, 7, 8), (2, 3), (1, 2), (0, 1, 1, 0), (2, 1), True),
            ((2, 1, 17), (3,), (3,), (1, 0), (1,)),
            ((1, 2, 11, 12), (2, 3), (3, 3), (1, 0, 0, 2), (1, 1)),
            ((1, 2, 7, 5, 6), (2, 1, 3), (2, 2, 3), (1, 0, 0, 0, 0, 2), (1, 1, 1), True),
            ((1, 2, 4, 5, 6), (2, 2, 3), (2, 1, 2), (0,) * 6, (1, 1, 1)),
        ):
            x = np.round(rng.uniform(-2, 2, shape)).astype(np.float32)  # many equal maxima
            (y,) = MaxPool(*attributes).reference(x)
            yield Case(cls(*attributes), (Arg(values=x), Arg(values=y), Arg(y.shape)))
