"""Winograd's minimal filtering F(tile x tile, taps x taps) (Lavin and Gray 2016): each tile of
outputs comes from products at (tile + taps - 1)² points instead of (tile taps)² multiplications."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.calls import Packed
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.lowering import ceil_div
from clnet.tensor_spec import TensorSpec

#: The finite points of 4 and of 6, in the order of ``winograd.h``. With 6 and 3x3 weights, float
#: outputs of up to 1024 channels are off by at most 6e-6 of the largest, direct sums by 3e-6; with
#: 0, ±1, ±2 it is 2e-5.
POINTS = {4: (0.0, 1.0, -1.0), 6: (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))}


@dataclass(frozen=True)
class TransformWeights:
    """[mg, cg, taps, taps] -> [points, mg, cg].

    Along either side, the weights are a polynomial: its values at the points, each divided by what
    Lagrange's interpolation divides by there. The last point is infinity.
    """

    tile: int

    def __call__(self, w: np.ndarray) -> np.ndarray:
        taps = w.shape[-1]
        finite = POINTS[self.tile + taps - 1]
        powers = np.arange(taps)
        rows = [p**powers / np.prod([p - q for q in finite if q != p]) for p in finite]
        along = np.stack([*rows, powers == taps - 1])
        both = np.kron(along, along)
        m, c = w.shape[:2]
        real = np.float64 if w.dtype == np.float64 else np.float32
        points = np.empty((len(both), m, c), real)
        for i, channel in enumerate(w):
            points[:, i] = both @ channel.reshape(c, -1).T.astype(np.float64)
        return points


@dataclass(frozen=True)
class Tiling:
    """A convolution as products at ``points`` points for all ``tiles`` tiles of its outputs."""

    problem: ConvProblem
    tile: int

    @property
    def name(self) -> str:
        """The candidates' name."""
        return f"winograd_{self.tile}"

    @property
    def points(self) -> int:
        """Points of a tile."""
        return (self.tile + 2) ** 2

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return ceil_div(self.problem.geometry.out[2], self.tile)

    @property
    def tiles(self) -> int:
        """Tiles of all images."""
        g = self.problem.geometry
        return g.n * ceil_div(g.out[1], self.tile) * self.columns

    @property
    def real(self) -> str:
        """dtype of weights, points and sums: halves are too short for them."""
        return "float64" if self.problem.dtype == "float64" else "float32"

    @property
    def sizes(self) -> tuple[int, ...]:
        """What every kernel is told first."""
        g = self.problem.geometry
        return (g.n, g.cg, g.mg, *g.size[1:], *g.out[1:], *g.pads[1:])

    def fits(self, *sizes: int) -> bool:
        """Whether the device gives buffers of so many bytes, within which kernels count in ints."""
        return max(sizes) <= min(self.problem.device.max_allocation, 1 << 31)

    @property
    def weights(self) -> Packed:
        """The transformed weights: a matrix of all channels for every point."""
        g = self.problem.geometry
        spec = TensorSpec((self.points, g.mg, g.cg), self.real)
        return Packed(1, TransformWeights(self.tile), spec)


def tilings(problem: ConvProblem) -> list[Tiling]:
    """The ways to compute the problem by Winograd's method: none unless it is plain and 3x3."""
    g = problem.geometry
    once = (1, 1, 1)
    plain = (
        g.kernel == (1, 3, 3) and g.strides == g.dilations == once and g.groups == g.size[0] == 1
    )
    if not plain or problem.phases or not problem.constant_weights:
        return []
    return [Tiling(problem, tile) for tile in (4, 2)]
