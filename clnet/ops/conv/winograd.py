"""3x3 convolution by Winograd's minimal filtering F(tile x tile, 3x3) (Lavin and Gray 2016): every
tile of outputs from products at (tile + 2)² points in place of 9 tile² multiplications."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Packed, PackedRef, Values, Work, tunable
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.lowering import ceil_div, options, round_up
from clnet.tensor_spec import TensorSpec

#: The finite points, in the order of ``winograd.h``. With those for 4, float sums over up to 1024
#: channels are as exact as direct ones: 3e-6 of the largest output, where 0, ±1, ±2 lose 2e-5.
POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))}

#: What a CPU could multiply and add in the time that it takes to bring one weight from memory, and
#: that the transforms take for one channel of a tile, for every point: measured on PoCL.
WEIGHT_COST = 12
TRANSFORM_COST = 12


@dataclass(frozen=True)
class TransformWeights:
    """[mg, cg, 3, 3] -> [points, ceil(mg / block), cg, block], zeros behind the last channel.

    Along either side, three weights are a polynomial: its values at the points, each divided by
    what Lagrange's interpolation divides by there. The last point is infinity.
    """

    tile: int
    block: int

    def __call__(self, w: np.ndarray) -> np.ndarray:
        points = POINTS[self.tile]
        rows = [
            np.array([1, p, p * p]) / np.prod([p - q for q in points if q != p]) for p in points
        ]
        along = np.stack([*rows, np.array([0.0, 0.0, 1.0])])
        both = np.kron(along, along)
        m, c = w.shape[:2]
        real = np.float64 if w.dtype == np.float64 else np.float32
        packed = np.zeros((len(both), ceil_div(m, self.block), c, self.block), real)
        for i in range(packed.shape[1]):
            block = w[i * self.block : (i + 1) * self.block].astype(np.float64)
            values = both @ block.reshape(-1, 9).T
            packed[:, i, :, : len(block)] = values.reshape(-1, len(block), c).swapaxes(1, 2)
        return packed


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

    def weights(self, block: int) -> Packed:
        """The transformed weights in blocks of so many output channels."""
        g = self.problem.geometry
        spec = TensorSpec((self.points, ceil_div(g.mg, block), g.cg, block), self.real)
        return Packed(1, TransformWeights(self.tile, block), spec)


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


def winograd(problem: ConvProblem) -> tuple[list[Candidate | None], list[Candidate | None]]:
    """For CPUs, in one launch. First what should be faster than a direct convolution, the fastest
    ahead, then the others."""
    if not problem.device.is_cpu:
        return [], []
    found = sorted(tilings(problem), key=_cost)
    g = problem.geometry
    direct = g.n * g.pixels * g.depth * round_up(g.mg, problem.cpu_width)
    return (
        [fused(t) for t in found if _cost(t) < direct],
        [fused(t) for t in found if _cost(t) >= direct],
    )


def _cost(tiling: Tiling) -> int:
    """About how many multiply-adds a CPU could do meanwhile. Few pixels make F(4x4, 3x3) lose,
    which has four times the weights of a direct convolution; few channels make both lose."""
    g = tiling.problem.geometry
    tiles = round_up(tiling.tiles, tiling.problem.cpu_width)
    products = (tiles + WEIGHT_COST) * g.cg * g.mg
    return tiling.points * (products + tiles * (g.cg + g.mg) * TRANSFORM_COST)


def fused(tiling: Tiling) -> Candidate | None:
    """``winograd_2`` or ``winograd_4`` for CPUs. Needs rows of four pixels."""
    problem, g, width = tiling.problem, tiling.problem.geometry, tiling.problem.cpu_width
    units = problem.device.compute_units
    lanes = [v for v in (16, 8, 4) if v <= min(width, g.size[2])]
    if not lanes:
        return None

    def make(values: Values) -> Candidate | None:
        tile_m, vectors, vw = values["TILE_M"], values["VECTORS"], values["VW"]
        if tile_m * vectors + vectors + 1 > problem.registers:
            return None  # the accumulators would spill
        block = values["SPANS"] * vectors * width
        blocks, m_blocks = ceil_div(tiling.tiles, block), ceil_div(g.mg, tile_m)
        blocks_per_item = ceil_div(blocks, values["ITEMS"])
        channels_per_item = ceil_div(m_blocks, values["PARTS"]) * tile_m
        size = ceil_div(blocks, blocks_per_item), ceil_div(g.mg, channels_per_item)
        planes = _plane(g.cg * block), _plane(channels_per_item * block)
        weights = tiling.weights(tile_m)
        work = size[0] * size[1] * tiling.points * sum(planes) * weights.spec.itemsize
        if max(work, weights.spec.nbytes) > problem.device.max_allocation:
            return None
        sizes = (*tiling.sizes, blocks_per_item, channels_per_item, *planes)
        call = KernelCall(
            "conv_winograd",
            "conv_winograd",
            (In(0), PackedRef(), *problem.bias, Out(), Work(), *map(np.int32, sizes),
             *problem.extras),
            size,
            (1, 1),
            (*problem.in_float.defines(), ("VW", vw), ("WIDTH", width), ("TILE", tiling.tile),
             ("TILE_M", tile_m), ("VECTORS", vectors), ("SPANS", values["SPANS"])),
        )  # fmt: skip
        return Candidate(tiling.name, (call,), (work,), (weights,))

    spans = max(1, 16 // width)  # blocks of 48 tiles at most, lest weights be read too often
    vectors, parts = _share(ceil_div(tiling.tiles, spans * width), units)
    rows = [m for m in (24, 12, 8, 6, 4) if m * vectors + vectors + 1 <= problem.registers]
    tile_m = min(rows, key=lambda m: ceil_div(g.mg, m) * (m * vectors + vectors + 2))
    fitting = next((v for v in lanes if v <= round_up(tiling.columns, 4)), lanes[-1])
    return tunable(
        make,
        {
            "VECTORS": options(vectors, (3, 2, 1, 4)),
            "TILE_M": options(tile_m, (8, 12, 6, 4, 24)),
            "SPANS": options(spans, (1, 2, 4)),
            "VW": options(fitting, lanes),
            "ITEMS": options(4 * units, [n * units for n in (1, 2, 8)]),
            "PARTS": options(parts, [1, units, 2 * units]),
        },
    )


def _share(vectors: int, units: int) -> tuple[int, int]:
    """Vectors of tiles in a block, and parts of the output channels, that keep every core busy.

    The part of a block that a core has to do may be a part of its output channels, but with all of
    its inputs to transform, which are about a fifth of the work. Wide blocks are a little faster.
    """

    def time(choice: tuple[int, int]) -> float:
        block, parts = choice
        rounds = ceil_div(ceil_div(vectors, block) * parts, units)
        return rounds * (block + 0.2) * (1 / parts + 0.2)

    return min(((b, p) for b in (3, 2, 1) for p in range(1, units + 1)), key=time)


def _plane(elements: int) -> int:
    """From one point's plane to the next: five lines of a cache more than a multiple of 4 KB. The
    same element of every plane is used together, and must not fall into the same set."""
    return round_up(elements, 1024) + 80
