"""The right-hand matrix in the order in which gemm.cl reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.ops.lowering import ceil_div


@dataclass(frozen=True)
class PackPanels:
    """[..., K, N], or [..., N, K] where ``transposed``, as [matrices, panels, K, panel] with zeros
    behind the last column. Equal packings of one weight are kept once."""

    panel: int
    transposed: bool

    def __call__(self, array: np.ndarray) -> np.ndarray:
        rows = np.swapaxes(array, -1, -2) if self.transposed else array
        k, n = rows.shape[-2:]
        panels = ceil_div(n, self.panel)
        padded = np.zeros((array.size // max(1, k * n), k, panels * self.panel), array.dtype)
        padded[:, :, :n] = rows.reshape(-1, k, n)
        return padded.reshape(-1, k, panels, self.panel).swapaxes(1, 2)


@dataclass(frozen=True)
class Transpose:
    """[..., K, N] as [..., N, K]."""

    def __call__(self, array: np.ndarray) -> np.ndarray:
        return np.swapaxes(array, -1, -2)
