"""Winograd's convolution on GPUs: a launch each for the inputs, the products and the outputs. (CPUs
have it on blocks of channels, in `ops/blocked/`.)"""

from __future__ import annotations

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, PackedRef, Values, Work, tunable
from clnet.ops.conv.geometry import Geometry
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.conv.winograd_tiles import Tiling, tilings
from clnet.ops.lowering import ceil_div, float_defines, grid, options, round_up

#: Floats of a vector in products: 128 bits.
WIDTH = 4


def winograd(problem: ConvProblem) -> list[Candidate | None]:
    """``winograd_4`` and ``winograd_2``, where they can be computed."""
    return [_staged(t) for t in tilings(problem)]


def product_items(g: Geometry) -> int:
    """About how many work-items the products of ``winograd_4`` get: one for 8 x 4 elements."""
    return 36 * g.n * ceil_div(g.pixels, 16) * g.mg // 32


def _staged(tiling: Tiling) -> Candidate | None:
    """None where the device gives no buffer for what lies between the launches."""
    problem, g = tiling.problem, tiling.problem.geometry
    group = problem.device.max_work_group_size
    rows = (8, 4) if problem.fills(product_items(g)) else (4, 8)

    def make(values: Values) -> Candidate | None:
        tile_m, vectors = values["TILE_M"], values["VECTORS"]
        local = (values["LOCAL_X"], values["LOCAL_Y"], 1)
        if local[0] * local[1] > group:
            return None
        lanes = round_up(tiling.tiles, vectors * WIDTH)
        weights = tiling.weights
        work = tuple(tiling.points * c * lanes * weights.spec.itemsize for c in (g.cg, g.mg))
        if not tiling.fits(*work, weights.spec.nbytes):
            return None
        sizes = tuple(map(np.int32, (*tiling.sizes, lanes)))
        defines = (*problem.in_float.defines(), ("TILE", tiling.tile))
        source = "conv_winograd"
        points = KernelCall(
            source, "conv_winograd_input", (In(0), Work(0), *sizes), grid(tiling.tiles, g.cg), None,
            defines,
        )  # fmt: skip
        across = round_up(ceil_div(lanes, vectors * WIDTH), local[0])
        down = round_up(ceil_div(g.mg, tile_m), local[1])
        products = KernelCall(
            "gemm",
            "gemm_tile",
            (PackedRef(), Work(0), Work(1), np.float32(1), np.float32(0)),
            (across, down, tiling.points),
            local,
            (
                *float_defines(tiling.real, problem.device), *_product(g.mg, lanes, g.cg),
                ("VW", WIDTH), ("TILE_M", tile_m), ("VECTORS", vectors),
            ),
        )  # fmt: skip
        outputs = KernelCall(
            source,
            "conv_winograd_output",
            (Work(1), *problem.bias, Out(), *sizes, *problem.extras),
            grid(tiling.tiles, g.mg),
            None,
            defines,
        )
        return Candidate(tiling.name, (points, products, outputs), work, (weights,))

    return tunable(
        make,
        {
            "TILE_M": [m for m in rows if m <= g.mg] or [g.mg],
            "VECTORS": (1, 2),
            "LOCAL_X": options(8 if group >= 64 else 4, (4, 8, 16)),
            "LOCAL_Y": options(8 if group >= 64 else 1, (1, 4, 8)),
        },
    )


def _product(m: int, n: int, k: int) -> tuple[Define, ...]:
    """The macros of gemm.cl for one product of plain row-major matrices at every point."""
    along = k % 4 == 0
    return (
        ("M", m), ("N", n), ("K", k),
        ("A_MATRIX(z)", "(z)"), ("A_M", k), ("A_K", 1), ("A_ALONG", int(along)),
        ("RUN", 4 if along else k),
        ("B_MATRIX(z)", "(z)"), ("PANEL", n),
        ("HAS_C", 0), ("ALPHA_ONE", 1), ("LAST_AXIS", n),
    )  # fmt: skip
