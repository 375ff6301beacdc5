"""Which algorithms are offered for a convolution, and in which order."""

from __future__ import annotations

from clnet.calls import Candidate
from clnet.ops.conv.blas import blas
from clnet.ops.conv.channels import channels
from clnet.ops.conv.direct import direct
from clnet.ops.conv.pointwise import pointwise, pointwise_fine
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.conv.rows import rows
from clnet.ops.conv.winograd import product_items, winograd


def candidates(problem: ConvProblem) -> list[Candidate]:
    """All that can compute the problem on its device, the untuned default first."""
    if problem.device.is_cpu:  # which has Winograd's on blocks of channels
        offered = [*_on_cpu(problem), blas(problem)]
    else:
        offered = [*_on_gpu(problem), blas(problem)]
    return [c for c in offered if c is not None]


def _on_cpu(problem: ConvProblem) -> list[Candidate | None]:
    g, width = problem.geometry, problem.cpu_width
    in_rows = g.out[2] % width == 0 and g.cg <= 8 and not problem.constant_weights
    if in_rows or (g.mg <= width // 2 and g.cg <= 4):  # weights that change need no packing there
        return [rows(problem), channels(problem), pointwise(problem), direct(problem)]
    if g.pixels < 8 * width:  # then tiles of vectors of pixels would be half empty
        return [channels(problem), pointwise(problem), rows(problem), direct(problem)]
    return [pointwise(problem), channels(problem), rows(problem), direct(problem)]


def _on_gpu(problem: ConvProblem) -> list[Candidate | None]:
    g = problem.geometry
    staged = winograd(problem)
    if staged and g.cg >= 16 and problem.dtype == "float32" and problem.fills(product_items(g)):
        return [*staged, direct(problem), pointwise_fine(problem)]
    items = g.n * g.groups * g.mg * g.pixels // 16
    if items < problem.busy // 4:  # items that share tiles are better than too few
        return [direct(problem), pointwise_fine(problem), *staged]
    return [pointwise_fine(problem), direct(problem), *staged]
