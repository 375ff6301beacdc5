"""Which algorithms are offered for a convolution, and in which order."""

from __future__ import annotations

from clnet.calls import Candidate
from clnet.ops.conv.blas import blas
from clnet.ops.conv.channels import channels
from clnet.ops.conv.direct import direct
from clnet.ops.conv.pointwise import pointwise, pointwise_fine
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.conv.rows import rows


def candidates(problem: ConvProblem) -> list[Candidate]:
    """All that can compute the problem on its device, the untuned default first."""
    offered = _on_cpu(problem) if problem.device.is_cpu else [pointwise_fine(problem)]
    offered += [direct(problem), blas(problem)]
    return [c for c in offered if c is not None]


def _on_cpu(problem: ConvProblem) -> list[Candidate | None]:
    g, width = problem.geometry, problem.cpu_width
    if g.mg <= width // 2 and g.cg <= 4:
        return [rows(problem), channels(problem), pointwise(problem)]
    if g.pixels < 8 * width:  # then tiles of vectors of pixels would be half empty
        return [channels(problem), pointwise(problem), rows(problem)]
    return [pointwise(problem), channels(problem), rows(problem)]
