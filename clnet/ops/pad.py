"""Pad: grow or crop each side of each axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.lowering import grid, strides_of
from clnet.ops.strided_copy import CARRIERS
from clnet.tensor_spec import TensorSpec

#: Where a coordinate c outside [0, n) reads: OpenCL C. ``reflect`` leaves the border out, and goes
#: on reflecting where the pad is wider than the tensor.
_SOURCES = {
    "constant": "{c}",
    "edge": "clamp({c}, 0, {n} - 1)",
    "wrap": "floor_mod({c}, {n})",
    "reflect": "reflected({c}, {n})",
}


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
        if self.mode not in _SOURCES:
            raise ShapeError(f"pad mode {self.mode!r} is unknown")
        if len(self.pads) != 2 * x.rank:
            raise ShapeError(f"{len(self.pads)} pads for rank {x.rank}")
        shape = tuple(b + d + a for b, d, a in zip(self.before, x.shape, self.after, strict=True))
        if self.mode != "constant" and any(
            s > 0 and not d for s, d in zip(shape, x.shape, strict=True)
        ):
            raise ShapeError(f"nothing to pad {x} with")
        return (x.with_shape(shape),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        if self.mode == "constant":
            grown = [(max(b, 0), max(a, 0)) for b, a in zip(self.before, self.after, strict=True)]
            x = np.pad(x, grown, constant_values=np.asarray(self.value).astype(x.dtype))
            return (_cropped(x, self.before, self.after),)
        for axis, (before, after) in enumerate(zip(self.before, self.after, strict=True)):
            n = x.shape[axis]
            c = np.arange(-before, n + after)
            if self.mode == "edge":
                c = c.clip(0, n - 1)
            elif self.mode == "wrap":
                c = c % n
            else:
                c = c % max(1, 2 * (n - 1))
                c = np.minimum(c, 2 * (n - 1) - c)
            x = x.take(c, axis)
        return (x,)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, y = workload.input(0), workload.output
        shape, extents, before = self._merged(x.shape)
        value = np.asarray(self.value).astype(x.dtype).view(f"u{x.itemsize}")
        lines, inside, index = [], ["1"], []
        inner = y.size
        for d, (extent, stride) in enumerate(zip(shape, strides_of(extents), strict=True)):
            inner //= extent
            lines.append(f"const int p{d} = i / {inner} % {extent} - {before[d]};")
            lines.append(f"const int c{d} = " + _SOURCES[self.mode].format(c=f"p{d}", n=extents[d]))
            lines[-1] += ";"
            index.append(f"c{d} * {stride}")
            if self.mode == "constant":
                inside.append(f"c{d} >= 0 && c{d} < {extents[d]}")
        defines = (
            ("ELEMENT", CARRIERS[x.itemsize]),
            ("SIZE", y.size),
            ("COORDINATES", " ".join(lines)),
            ("INSIDE", " && ".join(inside)),
            ("SOURCE", " + ".join(index)),
            ("VALUE", f"{int(value):#x}UL"),
        )
        call = KernelCall("pad", "pad", (In(), Out()), grid(y.size), None, defines)
        return [Candidate("pad", (call,))]

    def _merged(self, shape: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
        """Output extents, input extents and front pads. An axis without pads joins the one before
        it, unless that is padded by copies of itself."""
        padded: list[int] = []
        extents: list[int] = []
        front: list[int] = []
        for d, b, a in zip(shape, self.before, self.after, strict=True):
            plain = padded and (
                self.mode == "constant" or (padded[-1], front[-1]) == (extents[-1], 0)
            )
            if plain and b == a == 0:
                padded[-1], extents[-1], front[-1] = padded[-1] * d, extents[-1] * d, front[-1] * d
            else:
                padded.append(b + d + a)
                extents.append(d)
                front.append(b)
        return padded, extents, front

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        if self.mode != "constant":
            return super().vjp(build, node, grads)
        return (build.add(Pad(tuple(-p for p in self.pads)), grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        pads = (0, 2, 3, 0, 1, 4)
        yield Case(cls(pads, value=1.5), (Arg((2, 3, 5)),), differentiable=True)
        yield Case(cls((0, -1, 2, 0, 3, -2), value=-2.0), (Arg((2, 4, 7)),))
        for mode in ("edge", "reflect", "wrap"):
            yield Case(cls(pads, mode), (Arg((2, 3, 5)),))
            yield Case(cls((7, -1, 5, 2), mode), (Arg((3, 4), "uint8", 0, 255),))
        yield Case(cls((1, 1), value=7), (Arg((5,), "int64", -9, 9),))


def _cropped(x: np.ndarray, before: Sequence[int], after: Sequence[int]) -> np.ndarray:
    ends = (d + min(a, 0) for d, a in zip(x.shape, after, strict=True))
    return x[tuple(slice(max(-b, 0), max(e, 0)) for b, e in zip(before, ends, strict=True))]
