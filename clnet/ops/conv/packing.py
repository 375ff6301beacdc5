"""Weights in the order that the CPU kernels read: blocks of output channels innermost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Call, Define, In, KernelCall, Packed, PackedRef, Ref, Work
from clnet.ops.conv.geometry import Triple, triple
from clnet.ops.conv.problem import ConvProblem, triple_defines
from clnet.ops.lowering import ceil_div, grid
from clnet.tensor_spec import TensorSpec

#: Unsigned integers that carry elements which are only moved, by bytes of an element.
ELEMENTS = {2: "ushort", 4: "uint", 8: "ulong"}


@dataclass(frozen=True)
class BlockChannels:
    """[groups * mg, cg, *kernel] -> [groups, 1, ceil(mg / block), cg * taps, block], zeros behind.

    Equal packings of one constant share their memory.
    """

    groups: int
    block: int

    def __call__(self, w: np.ndarray) -> np.ndarray:
        mg = w.shape[0] // self.groups
        rows = w.reshape(self.groups, mg, -1)
        rows = np.pad(rows, ((0, 0), (0, -mg % self.block), (0, 0)))
        return rows.reshape(self.groups, 1, -1, self.block, rows.shape[2]).swapaxes(3, 4)


@dataclass(frozen=True)
class BlockPhases:
    """The weights of a transposed convolution with ``strides`` as one convolution per phase:
    [groups * cg, mg, *kernel] -> [groups, phases, ceil(mg / block), cg * taps, block].

    Phase f of the outputs sees elements f, f + stride, f + 2 * stride... of the kernel, the last
    first; taps that only other phases have are zero.
    """

    groups: int
    block: int
    strides: Triple

    def __call__(self, w: np.ndarray) -> np.ndarray:
        kernel, mg = triple(w.shape[2:]), w.shape[1]
        taps = [ceil_div(k, s) for k, s in zip(kernel, self.strides, strict=True)]
        fill = [t * s - k for t, s, k in zip(taps, self.strides, kernel, strict=True)]
        w = np.pad(
            w.reshape(*w.shape[:2], *kernel),
            [(0, 0), (0, -mg % self.block), *((0, f) for f in fill)],
        )
        split = [v for pair in zip(taps, self.strides, strict=True) for v in pair]
        w = w.reshape(self.groups, -1, w.shape[1] // self.block, self.block, *split)
        w = w[:, :, :, :, ::-1, :, ::-1, :, ::-1, :]
        w = w.transpose(0, 5, 7, 9, 2, 1, 4, 6, 8, 3)
        return w.reshape(self.groups, math.prod(self.strides), w.shape[4], -1, self.block)


@dataclass(frozen=True)
class BlockedWeights:
    """Where a candidate finds its weights in blocks, and what it takes to get them there."""

    ref: Ref
    packed: tuple[Packed, ...]
    calls: tuple[Call, ...]
    workspace: tuple[int, ...]


def blocked_weights(problem: ConvProblem, block: int, work: int = 0) -> BlockedWeights:
    """Packed once if the weights are constant, else by a kernel into workspace ``work``."""
    g, phases = problem.geometry, problem.phases
    up = phases.strides if phases else (1, 1, 1)
    blocks = ceil_div(g.mg, block)
    spec = TensorSpec((g.groups, math.prod(up), blocks, g.depth, block), problem.dtype)
    if problem.constant_weights:
        pack: Callable[[np.ndarray], np.ndarray] = BlockChannels(g.groups, block)
        if phases:
            pack = BlockPhases(g.groups, block, up)
        return BlockedWeights(PackedRef(0), (Packed(1, pack, spec),), (), ())
    rows = spec.size // block
    kernel, sizes = "conv_pack", [g.mg, g.depth, rows]
    defines: tuple[Define, ...] = (("ELEMENT", ELEMENTS[spec.itemsize]), ("BLOCK", block))
    if phases:
        kernel, sizes = "conv_pack_phases", [g.cg, g.mg, *phases.kernel, rows]
        defines += triple_defines("UP_", up) + triple_defines("KERNEL_", g.kernel)
    args = (In(1), Work(work), *map(np.int32, sizes))
    call = KernelCall(kernel, kernel, args, grid(rows), None, defines)
    return BlockedWeights(Work(work), (), (call,), (spec.nbytes,))
