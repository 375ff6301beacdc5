"""DepthToSpace and SpaceToDepth: channels spread into blocks of pixels, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.reshape import Reshape
from clnet.ops.strided_copy import View, copy_call
from clnet.ops.transpose import Transpose
from clnet.tensor_spec import TensorSpec


class _Shuffle(Op):
    """A reshape, a transposition and a reshape, done in one copy."""

    def split(self, x: TensorSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """x's shape with the blocks as dimensions of their own, and how these are permuted."""
        raise NotImplementedError

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        shape, perm = self.split(TensorSpec.of(x))
        (y,) = self.infer(TensorSpec.of(x))
        return (x.reshape(shape).transpose(perm).reshape(y.shape),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        shape, perm = self.split(x)
        target = [shape[p] for p in perm]
        read, write = View.of(shape).permuted(perm), View.of(target)
        call = copy_call(In(), Out(), x.itemsize, target, read, write, device)
        return [Candidate("copy", (call,))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (x,) = node.inputs
        assert x is not None
        shape, perm = self.split(x.spec)
        blocks = build.add(Reshape(tuple(shape[p] for p in perm)), grads[0])
        back = build.add(Transpose(tuple(perm.index(d) for d in range(len(perm)))), blocks)
        return (build.add(Reshape(x.spec.shape), back),)


@register
@dataclass(frozen=True)
class DepthToSpace(_Shuffle):
    """x[N,C·b²,H,W] → y[N,C,H·b,W·b]. ``mode`` DCR: the block is the channel's outer part, so that
    channel (i·b+j)·C+c becomes pixel (i, j) of channel c; CRD: it is the inner part."""

    blocksize: int
    mode: str = "DCR"

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        b = self.blocksize
        if x.rank != 4 or b < 1 or x.shape[1] % (b * b):
            raise ShapeError(f"{x} has no blocks of {b}x{b} in its channels")
        if self.mode not in ("DCR", "CRD"):
            raise ShapeError(f"DepthToSpace mode {self.mode!r} is unknown")
        n, c, h, w = x.shape
        return (x.with_shape((n, c // (b * b), h * b, w * b)),)

    def split(self, x: TensorSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
        n, c, h, w = x.shape
        b = self.blocksize
        c //= b * b
        if self.mode == "DCR":
            return (n, b, b, c, h, w), (0, 3, 4, 1, 5, 2)
        return (n, c, b, b, h, w), (0, 1, 4, 2, 5, 3)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(2), (Arg((2, 12, 3, 5)),), differentiable=True)
        yield Case(cls(3, "CRD"), (Arg((1, 18, 2, 4)),), differentiable=True)


@register
@dataclass(frozen=True)
class SpaceToDepth(_Shuffle):
    """x[N,C,H·b,W·b] → y[N,b²·C,H,W], the inverse of DepthToSpace in mode DCR."""

    blocksize: int

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        b = self.blocksize
        if x.rank != 4 or b < 1 or x.shape[2] % b or x.shape[3] % b:
            raise ShapeError(f"{x} does not divide into blocks of {b}x{b}")
        n, c, h, w = x.shape
        return (x.with_shape((n, c * b * b, h // b, w // b)),)

    def split(self, x: TensorSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
        n, c, h, w = x.shape
        b = self.blocksize
        return (n, c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(2), (Arg((2, 3, 6, 10)),), differentiable=True)
