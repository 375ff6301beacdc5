"""Which of Winograd's convolutions are offered, and which should be faster than a direct one."""

from __future__ import annotations

from clnet.calls import Candidate
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.conv.winograd_fused import fused
from clnet.ops.conv.winograd_stages import staged
from clnet.ops.conv.winograd_tiles import Tiling, tilings
from clnet.ops.lowering import round_up

#: What a CPU could multiply and add in the time that it takes to bring one weight from memory, and
#: that the transforms take for one channel of a tile, for every point: measured on PoCL.
WEIGHT_COST = 6
TRANSFORM_COST = 12


def winograd(problem: ConvProblem) -> tuple[list[Candidate | None], list[Candidate | None]]:
    """``winograd_4`` and ``winograd_2``: first what should be faster than a direct convolution on a
    CPU, the fastest ahead, then the others."""
    found = tilings(problem)
    if not problem.device.is_cpu:
        return [], [staged(t) for t in found]
    found.sort(key=_cost)
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
