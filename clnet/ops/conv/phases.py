"""A transposed convolution as the problem that its phases are, each a convolution."""

from __future__ import annotations

from dataclasses import replace

from clnet.calls import Workload
from clnet.device_info import DeviceInfo
from clnet.ops.conv.geometry import Phases, Triple
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.lowering import ceil_div


def transposed(workload: Workload, device: DeviceInfo) -> ConvProblem:
    """The numbers of a ConvTranspose, whose weights are [groups * cg, mg, *kernel]."""
    problem = ConvProblem.of(workload, device)
    c, mg = workload.input(1).shape[:2]
    return replace(problem, geometry=replace(problem.geometry, cg=c // workload.op.groups, mg=mg))


def by_phase(problem: ConvProblem) -> ConvProblem | None:
    """Output t - pad with t = stride * q + phase sums x[q - j] * w[phase + stride * j] over j: for
    every phase a convolution without strides. None where dilations mix the phases.
    """
    g = problem.geometry
    if g.dilations != (1, 1, 1):
        return None
    taps: list[int] = []
    ahead: list[int] = []
    crop: list[int] = []
    out: list[int] = []
    for kernel, stride, pad, size in zip(g.kernel, g.strides, g.pads, g.out, strict=True):
        first, last = pad // stride, (pad + size - 1) // stride  # q of the first and last output
        taps.append(ceil_div(kernel, stride))
        ahead.append(taps[-1] - 1 - first)
        crop.append(pad - first * stride)
        out.append(last - first + 1)
    phase = replace(
        g, kernel=_triple(taps), pads=_triple(ahead), out=_triple(out), strides=(1, 1, 1)
    )
    return replace(
        problem, geometry=phase, phases=Phases(g.strides, _triple(crop), g.out, g.kernel)
    )


def _triple(values: list[int]) -> Triple:
    d, h, w = values
    return d, h, w
