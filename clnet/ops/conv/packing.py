"""Weights in the order that the CPU kernels read: blocks of output channels innermost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.calls import Call, In, KernelCall, Packed, PackedRef, Ref, Work
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.lowering import ceil_div, grid
from clnet.tensor_spec import TensorSpec

#: Unsigned integers that carry elements which are only moved, by bytes of an element.
ELEMENTS = {2: "ushort", 4: "uint", 8: "ulong"}


@dataclass(frozen=True)
class BlockChannels:
    """[groups * mg, cg, *kernel] -> [groups, ceil(mg / block), cg * taps, block], zeros behind.

    Equal packings of one constant share their memory.
    """

    groups: int
    block: int

    def __call__(self, w: np.ndarray) -> np.ndarray:
        mg = w.shape[0] // self.groups
        rows = w.reshape(self.groups, mg, -1)
        rows = np.pad(rows, ((0, 0), (0, -mg % self.block), (0, 0)))
        return rows.reshape(self.groups, -1, self.block, rows.shape[2]).swapaxes(2, 3)


@dataclass(frozen=True)
class BlockedWeights:
    """Where a candidate finds its weights in blocks, and what it takes to get them there."""

    ref: Ref
    packed: tuple[Packed, ...]
    calls: tuple[Call, ...]
    workspace: tuple[int, ...]


def blocked_weights(problem: ConvProblem, block: int, work: int = 0) -> BlockedWeights:
    """Packed once if the weights are constant, else by a kernel into workspace ``work``."""
    g = problem.geometry
    spec = TensorSpec((g.groups, ceil_div(g.mg, block), g.depth, block), problem.dtype)
    if problem.constant_weights:
        packed = Packed(1, BlockChannels(g.groups, block), spec)
        return BlockedWeights(PackedRef(0), (packed,), (), ())
    rows = spec.size // block
    call = KernelCall(
        "conv_pack",
        "conv_pack",
        (In(1), Work(work), np.int32(g.mg), np.int32(g.depth), np.int32(rows)),
        grid(rows),
        None,
        (("ELEMENT", ELEMENTS[spec.itemsize]), ("BLOCK", block)),
    )
    return BlockedWeights(Work(work), (), (call,), (spec.nbytes,))
