"""The input with its padding around it, for kernels that look at no border."""

from __future__ import annotations

import math

import numpy as np

from clnet.calls import Call, In, KernelCall, Ref, Work
from clnet.ops.conv.geometry import Triple
from clnet.ops.conv.packing import ELEMENTS
from clnet.ops.conv.problem import ConvProblem
from clnet.ops.lowering import grid

#: Where the padded input is, its extent, the calls that make it and their workspace.
Padded = tuple[Ref, Triple, tuple[Call, ...], tuple[int, ...]]


def padded_input(problem: ConvProblem, work: int, row: int | None = None) -> Padded:
    """The input padded into workspace ``work``, or as it is where it touches no padding; with
    ``row``, its rows have that many elements."""
    g = problem.geometry
    if not g.touches_padding and row in (None, g.size[2]):
        return In(0), g.size, (), ()
    x = problem.workload.input(0)
    extent = (*g.padded[:2], row or g.padded[2])
    planes = g.n * g.groups * g.cg
    rows = planes * math.prod(extent[:2])
    sizes = (rows, *g.size, *extent, *g.pads)
    whole = problem.device.is_cpu
    call = KernelCall(
        "conv_pad",
        "conv_pad",
        (In(0), Work(work), *map(np.int32, sizes)),
        grid(rows) if whole else grid(extent[2], rows),
        None,
        (("ELEMENT", ELEMENTS[x.itemsize]), ("WHOLE_ROWS", int(whole))),
    )
    return Work(work), extent, (call,), (planes * math.prod(extent) * x.itemsize,)
