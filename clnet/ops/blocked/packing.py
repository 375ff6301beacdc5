"""Weights and biases in the order in which kernels on blocked channels read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.calls import Packed
from clnet.ops.conv.winograd_tiles import TransformWeights
from clnet.ops.lowering import ceil_div
from clnet.tensor_spec import TensorSpec


@dataclass(frozen=True)
class BlockWeights:
    """[groups * mg, cg, *kernel] -> [groups * ceil(mg / block), cg * taps, block].

    The middle axis runs over blocks of ``lanes`` input channels, the taps, and the channels within
    the block, of which the last block may have fewer.
    """

    groups: int
    block: int
    lanes: int

    def __call__(self, w: np.ndarray) -> np.ndarray:
        m, cg = w.shape[:2]
        mg = m // self.groups
        w = w.reshape(self.groups, mg, cg, -1)
        blocks = [w[:, :, c : c + self.lanes].swapaxes(2, 3) for c in range(0, cg, self.lanes)]
        rows = np.concatenate([b.reshape(self.groups, mg, -1) for b in blocks], 2)
        rows = np.pad(rows, ((0, 0), (0, -mg % self.block), (0, 0)))
        return rows.reshape(-1, self.block, rows.shape[2]).swapaxes(1, 2)


@dataclass(frozen=True)
class BlockPoints:
    """[mg, cg, taps, taps] -> [ceil(mg / block), points, cg, block]: transformed for Winograd's
    method, zeros behind the last channel."""

    tile: int
    block: int

    def __call__(self, w: np.ndarray) -> np.ndarray:
        m, cg, taps = w.shape[:3]
        shape = (ceil_div(m, self.block), (self.tile + taps - 1) ** 2, cg, self.block)
        packed = np.zeros(shape, np.float32)
        for i, block in enumerate(packed):
            points = TransformWeights(self.tile)(w[i * self.block : (i + 1) * self.block])
            block[..., : points.shape[1]] = points.swapaxes(1, 2)
        return packed


@dataclass(frozen=True)
class BlockBias:
    """[groups * mg] -> [groups * ceil(mg / block) * block], zeros behind each group's last; zeros
    throughout if there is no bias."""

    groups: int
    mg: int
    block: int
    dtype: str

    def __call__(self, bias: np.ndarray | None = None) -> np.ndarray:
        if bias is None:
            bias = np.zeros(self.groups * self.mg, self.dtype)
        rows = bias.reshape(self.groups, self.mg)
        return np.pad(rows, ((0, 0), (0, -self.mg % self.block))).reshape(-1)


@dataclass(frozen=True)
class PairWeights:
    """[m, c, *kernel] -> [c * taps, ceil(m / 2), 2 * across]: the weights of a pair of maps, each
    ``across`` times; zeros for a map that is missing."""

    across: int

    def __call__(self, w: np.ndarray) -> np.ndarray:
        rows = w.reshape(w.shape[0], -1)
        rows = np.pad(rows, ((0, -w.shape[0] % 2), (0, 0)))
        return np.repeat(rows.T, self.across, 1).reshape(rows.shape[1], -1, 2 * self.across)


@dataclass(frozen=True)
class PairBias:
    """[m] -> [ceil(m / 2), 2 * across], likewise; zeros throughout if there is no bias."""

    m: int
    across: int

    def __call__(self, bias: np.ndarray | None = None) -> np.ndarray:
        if bias is None:
            bias = np.zeros(self.m, np.float32)
        return PairWeights(self.across)(bias[:, None])[0]


def pack_weights(index: int, w: TensorSpec, groups: int, block: int, lanes: int) -> Packed:
    """Input ``index``, weights [groups * mg, cg, *kernel], for a kernel."""
    m_blocks = ceil_div(w.shape[0] // groups, block)
    depth = w.size // w.shape[0]
    spec = TensorSpec((groups * m_blocks, depth, block), w.dtype)
    return Packed(index, BlockWeights(groups, block, lanes), spec)


def pack_bias(index: int, present: bool, w: TensorSpec, groups: int, block: int) -> Packed:
    """Input ``index``, the bias that belongs to such weights, if there is one."""
    mg = w.shape[0] // groups
    pack = BlockBias(groups, mg, block, w.dtype)
    spec = TensorSpec((groups * ceil_div(mg, block) * block,), w.dtype)
    return Packed(index if present else None, pack, spec)
