"""The input with its padding around it, for kernels that look at no border."""

from __future__ import annotations

import math

import numpy as np

from clnet.calls import Call, In, KernelCall, Ref, Work
from clnet.ops.conv.geometry import Triple
from clnet.ops.conv.packing import ELEMENTS
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.lowering import grid


def padded_input(
    problem: ConvProblem, work: int
) -> tuple[Ref, Triple, tuple[Call, ...], tuple[int, ...]]:
    """Where the padded input is, its extent, and the call and workspace ``work`` that make it."""
    g = problem.geometry
    if not g.touches_padding:
        return In(0), g.size, (), ()
    x = problem.workload.input(0)
    planes = g.n * g.groups * g.cg
    rows = planes * math.prod(g.padded[:2])
    sizes = (rows, *g.size, *g.padded, *g.pads)
    call = KernelCall(
        "conv_pad",
        "conv_pad",
        (In(0), Work(work), *map(np.int32, sizes)),
        grid(rows),
        None,
        (("ELEMENT", ELEMENTS[x.itemsize]),),
    )
    return Work(work), g.padded, (call,), (planes * math.prod(g.padded) * x.itemsize,)
