"""Transposed convolution of small images on CPUs: each output channel in one go, nothing packed."""

from __future__ import annotations

import math

from clnet.calls import Candidate, In, KernelCall, Out
from clnet.ops.conv.problem import ConvProblem, kernel_defines, triple_defines
from clnet.ops.rows import dividing_width

#: Bytes of the input channels that an output channel sees, which are read once per tap and must
#: stay in the first-level cache; and of the output channel, which stands on the stack.
INPUT_BYTES, OUTPUT_BYTES = 32 << 10, 16 << 10
ROWS = 8


def scatter(problem: ConvProblem) -> Candidate | None:
    """Takes what is small enough and has no stride along rows."""
    problem = problem.in_float
    g = problem.geometry
    width = dividing_width(g.size[2], problem.device)
    full = [
        max((size - 1) * stride + (kernel - 1) * dilation + 1, pad + out)
        for size, stride, kernel, dilation, pad, out in zip(
            g.size, g.strides, g.kernel, g.dilations, g.pads, g.out, strict=True
        )
    ]
    seen = 4 * g.cg * math.prod(g.size)
    if g.strides[2] > 1 or width < 4 or seen > INPUT_BYTES or 4 * math.prod(full) > OUTPUT_BYTES:
        return None
    defines = (
        *problem.defines(), *kernel_defines(g), ("VW", width), ("TILE_Y", min(ROWS, g.size[1])),
        ("BATCH", g.n), ("GROUPS", g.groups), ("CG", g.cg), ("MG", g.mg),
        *triple_defines("IN_", g.size), *triple_defines("OUT_", g.out),
        *triple_defines("FULL_", (full[0], full[1], full[2])), *triple_defines("PAD_", g.pads),
    )  # fmt: skip
    args = (In(0), In(1), *problem.bias, Out(), *problem.extras)
    size = (g.n * g.groups * g.mg,)
    call = KernelCall("conv_scatter", "conv_scatter", args, size, (1,), defines)
    return Candidate("scatter", (call,))
