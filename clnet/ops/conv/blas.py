"""Convolution as a matrix product by CLBlast: of the weights and the windows as columns."""

from __future__ import annotations

import math

import numpy as np

from clnet.calls import BlasCall, Call, Candidate, In, KernelCall, Out, Ref, Work
from clnet.ops.blas import blas_usable
from clnet.ops.conv.packing import ELEMENTS
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.lowering import grid

#: More products than this make one BLAS call each absurd.
MAX_CALLS = 64


def blas(problem: ConvProblem) -> Candidate | None:
    """``clblast_gemm`` straight on the input where the window is one pixel, else
    ``clblast_im2col``: image by image, columns into workspace, then a product per group.
    """
    g = problem.geometry
    x = problem.workload.input(0)
    columns = g.groups * g.depth * g.pixels * x.itemsize
    fits = g.n * g.groups <= MAX_CALLS and columns <= problem.device.max_allocation
    if not fits or not blas_usable(problem.dtype, problem.device):
        return None
    calls: list[Call] = []
    image = g.groups * g.cg * math.prod(g.size)
    for n in range(g.n):
        if g.is_pointwise:
            source, first = In(0), n * image
        else:
            calls.append(_im2col(problem, n * image))
            source, first = Work(0), 0
        calls += [_gemm(problem, n, group, source, first) for group in range(g.groups)]
    calls += _finish(problem)
    if g.is_pointwise:
        return Candidate("clblast_gemm", tuple(calls))
    return Candidate("clblast_im2col", tuple(calls), (columns,))


def _im2col(problem: ConvProblem, first: int) -> KernelCall:
    g = problem.geometry
    element = ELEMENTS[problem.workload.input(0).itemsize]
    sizes = (first, *g.size, *g.out, *g.pads)
    return KernelCall(
        "conv_im2col",
        "conv_im2col",
        (In(0), Work(0), *map(np.int32, sizes)),
        grid(g.pixels, g.groups * g.depth),
        None,
        (("ELEMENT", element), *kernel_defines(g)),
    )


def _gemm(problem: ConvProblem, n: int, group: int, source: Ref, first: int) -> BlasCall:
    """y[mg, pixels] = w[mg, depth] @ columns[depth, pixels]"""
    g = problem.geometry
    offsets = (
        group * g.mg * g.depth,
        first + group * g.depth * g.pixels,
        (n * g.groups + group) * g.mg * g.pixels,
    )
    params = (("a_ld", g.depth), ("b_ld", g.pixels), ("c_ld", g.pixels),
              ("alpha", 1.0), ("beta", 0.0))  # fmt: skip
    sizes = (g.mg, g.pixels, g.depth)
    return BlasCall("gemm", problem.dtype, (In(1), source, Out()), sizes, offsets, params)


def _finish(problem: ConvProblem) -> tuple[KernelCall, ...]:
    """Bias and epilogue, in place."""
    if not problem.has_bias and not problem.workload.op.epilogue.steps:
        return ()
    g, size = problem.geometry, problem.workload.output.size
    sizes = (size, g.groups * g.mg, g.pixels)
    args = (*problem.bias, Out(), *map(np.int32, sizes), *problem.extras)
    return (KernelCall("conv_finish", "conv_finish", args, grid(size), None, problem.defines()),)
