"""Pad: grow or crop each side of each axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.axis_lookup import look_up
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.resize_tables import AxisTable
from clnet.ops.sampling_gradient import sampling_vjp
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Pad(Op):
    """``pads`` elements before each axis, then behind each; negative ones crop. The new elements
    are ``value`` or come from x as ``mode`` says: constant, edge, reflect or wrap."""

    pads: tuple[int, ...]
    mode: str = "constant"
    value: float = 0.0

    @property
    def before(self) -> tuple[int, ...]:
        """The pad in front of each axis."""
        return self.pads[: len(self.pads) // 2]

    @property
    def after(self) -> tuple[int, ...]:
        """The pad behind each axis."""
        return self.pads[len(self.pads) // 2 :]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        if self.mode not in ("constant", "edge", "reflect", "wrap"):
            raise ShapeError(f"pad mode {self.mode!r} is unknown")
        if len(self.pads) != 2 * x.rank:
            raise ShapeError(f"{len(self.pads)} pads for rank {x.rank}")
        shape = tuple(b + d + a for b, d, a in zip(self.before, x.shape, self.after, strict=True))
        if self.mode != "constant" and any(
            s > 0 and not d for s, d in zip(shape, x.shape, strict=True)
        ):
            raise ShapeError(f"nothing to pad {x} with")
        return (x.with_shape(shape),)

    def sources(self, axis: int, n: int) -> np.ndarray:
        """Which of an axis' n elements each element of the output takes; -1: ``value``."""
        c = np.arange(-self.before[axis], n + self.after[axis])
        if self.mode == "edge":
            return c.clip(0, n - 1)
        if self.mode == "wrap":
            return c % n
        if self.mode == "reflect":  # without the border, and on and on where the pad is wider
            turn = c % max(1, 2 * (n - 1))
            return np.minimum(turn, 2 * (n - 1) - turn)
        return np.where((c < 0) | (c >= n), -1, c)

    def tables(self, shape: tuple[int, ...]) -> dict[int, AxisTable]:
        """For each padded axis of x, which element each element of the output takes."""
        tables = {}
        for axis, n in enumerate(shape):
            if self.before[axis] or self.after[axis]:
                sources = self.sources(axis, n)[:, None]
                outside = sources[:, 0] < 0
                tables[axis] = AxisTable(sources.clip(0), np.ones(sources.shape), outside)
        return tables

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        if self.mode == "constant":
            grown = [(max(b, 0), max(a, 0)) for b, a in zip(self.before, self.after, strict=True)]
            x = np.pad(x, grown, constant_values=np.asarray(self.value).astype(x.dtype))
            return (_cropped(x, self.before, self.after),)
        for axis, n in enumerate(x.shape):
            x = x.take(self.sources(axis, n), axis)
        return (x,)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, y = workload.input(0), workload.output
        padded = [a for a in range(x.rank) if self.before[a] or self.after[a]]
        tables = {a: self.sources(a, x.shape[a]) for a in padded}
        return [look_up(x, y, tables, self.value, device)]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        if self.mode != "constant":
            return (sampling_vjp(build, node, grads[0]),)
        return (build.add(Pad(tuple(-p for p in self.pads)), grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        pads = (0, 2, 3, 0, 1, 4)
        yield Case(cls(pads, value=1.5), (Arg((2, 3, 5)),), differentiable=True)
        yield Case(cls((0, -1, 2, 0, 3, -2), value=-2.0), (Arg((2, 4, 7)),))
        for mode in ("edge", "reflect", "wrap"):
            yield Case(cls(pads, mode), (Arg((2, 3, 5)),), differentiable=True)
            yield Case(cls((7, -1, 5, 2), mode), (Arg((3, 4), "uint8", 0, 255),))
        yield Case(cls((1, 1), value=7), (Arg((5,), "int64", -9, 9),))


def _cropped(x: np.ndarray, before: Sequence[int], after: Sequence[int]) -> np.ndarray:
    ends = (d + min(a, 0) for d, a in zip(x.shape, after, strict=True))
    return x[tuple(slice(max(-b, 0), max(e, 0)) for b, e in zip(before, ends, strict=True))]
