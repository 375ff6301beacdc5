"""Block and Unblock: between [N, C, H, W] and [N, ceil(C / c), H, W, c]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.lowering import ceil_div, grid
from clnet.ops.strided_copy import CARRIERS
from clnet.tensor_spec import TensorSpec

#: What may be blocked: the dtypes of which a vector register holds a block.
DTYPES = ("float32", "float16")


def blocked(x: np.ndarray, block: int) -> np.ndarray:
    """[N, C, H, W] -> [N, ceil(C / block), H, W, block], zeros behind the last channel."""
    n, c, h, w = x.shape
    x = np.pad(x, ((0, 0), (0, -c % block), (0, 0), (0, 0)))
    return np.ascontiguousarray(x.reshape(n, -1, block, h, w).transpose(0, 1, 3, 4, 2))


def unblocked(x: np.ndarray, channels: int) -> np.ndarray:
    """[N, B, H, W, block] -> [N, channels, H, W]."""
    n, b, h, w, block = x.shape
    return x.transpose(0, 1, 4, 2, 3).reshape(n, b * block, h, w)[:, :channels]


@register
@dataclass(frozen=True)
class Block(Op):
    """x[N, C, H, W] with its channels in blocks, zeros behind the last."""

    block: int

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        if x is None or x.rank != 4 or x.dtype not in DTYPES:
            raise ShapeError(f"{x} has no channels to block")
        n, c, h, w = x.shape
        return (x.with_shape((n, ceil_div(c, self.block), h, w, self.block)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (blocked(x, self.block),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [_move("block", workload.input(0), self.block)]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(8), (Arg((2, 16, 3, 5)),))
        yield Case(cls(4), (Arg((2, 7, 5, 9)),))
        yield Case(cls(16), (Arg((1, 40, 1, 1)),))


@register
@dataclass(frozen=True)
class Unblock(Op):
    """x[N, B, H, W, block] as [N, channels, H, W]."""

    channels: int

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        if x is None or x.rank != 5 or x.dtype not in DTYPES:
            raise ShapeError(f"{x} is not blocked")
        n, b, h, w, block = x.shape
        if ceil_div(self.channels, block) != b:
            raise ShapeError(f"{x} does not hold {self.channels} channels")
        return (x.with_shape((n, self.channels, h, w)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (unblocked(x, self.channels),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [_move("unblock", workload.output, workload.input(0).shape[-1])]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(16), (Arg((2, 2, 3, 5, 8)),))
        yield Case(cls(7), (Arg((2, 2, 5, 9, 4)),))
        yield Case(cls(40), (Arg((1, 3, 1, 1, 16)),))


def _move(kernel: str, plain: TensorSpec, block: int) -> Candidate:
    n, c, h, w = plain.shape
    defines = (("ELEMENT", CARRIERS[plain.itemsize]), ("BLOCK", block))
    sizes = (c, h * w)
    size = grid(h * w, n * ceil_div(c, block))
    args = (In(), Out(), *map(np.int32, sizes))
    return Candidate("move", (KernelCall("block_channels", kernel, args, size, None, defines),))
