"""A matrix product through CLBlast: GEMM, and GEMV where one side is a vector."""

from __future__ import annotations

import numpy as np

from clnet.calls import BlasCall, Candidate, In, KernelCall, Out
from clnet.device_info import DeviceInfo
from clnet.ops.blas import blas_usable
from clnet.ops.gemm.product import Product
from clnet.ops.lowering import float_defines, grid

#: More products than this make one BLAS call each absurd.
MAX_CALLS = 16


def blas(p: Product, device: DeviceInfo) -> list[Candidate]:
    """``clblast_gemm``, and ``clblast_gemv`` for one row of a or one column of b."""
    if not blas_usable(p.output.dtype, device) or p.k == 0 or p.count > MAX_CALLS:
        return []
    before, after = _prepare(p, device), _finish(p, device)
    pairs = list(zip(p.matrices(p.a_batch), p.matrices(p.b_batch), strict=True))
    found = []
    if p.n == 1 or p.m == 1:
        calls = [_gemv(p, z, a, b) for z, (a, b) in enumerate(pairs)]
        found.append(Candidate("clblast_gemv", (*before, *calls, *after)))
    calls = [_gemm(p, z, a, b) for z, (a, b) in enumerate(pairs)]
    return [*found, Candidate("clblast_gemm", (*before, *calls, *after))]


def _gemm(p: Product, z: int, a: int, b: int) -> BlasCall:
    params = (
        ("a_ld", p.m if p.trans_a else p.k), ("b_ld", p.k if p.trans_b else p.n), ("c_ld", p.n),
        ("alpha", p.alpha), ("beta", 1.0),
        ("a_transp", p.trans_a), ("b_transp", p.trans_b),
    )  # fmt: skip
    offsets = (a * p.m * p.k, b * p.k * p.n, z * p.m * p.n)
    operands = (In(0), In(1), Out())
    return BlasCall("gemm", p.output.dtype, operands, (p.m, p.n, p.k), offsets, params)


def _gemv(p: Product, z: int, a: int, b: int) -> BlasCall:
    """y = op(a) @ b for a single column, else y = op(b)ᵀ @ a for a single row."""
    if p.n == 1:
        stored = (p.k, p.m) if p.trans_a else (p.m, p.k)
        operands, transposed = (In(0), In(1), Out()), p.trans_a
        offsets = (a * p.m * p.k, b * p.k, z * p.m)
    else:
        stored = (p.n, p.k) if p.trans_b else (p.k, p.n)
        operands, transposed = (In(1), In(0), Out()), not p.trans_b
        offsets = (b * p.k * p.n, a * p.k, z * p.n)
    params = (("a_ld", stored[1]), ("alpha", p.alpha), ("beta", 1.0), ("a_transp", transposed))
    return BlasCall("gemv", p.output.dtype, operands, stored, offsets, params)


def _prepare(p: Product, device: DeviceInfo) -> tuple[KernelCall, ...]:
    """y = beta * c or 0, to which BLAS adds: with its beta 0 GEMV would still read y."""
    defines = (
        *float_defines(p.output.dtype, device),
        ("SIZE", p.output.size), ("N", p.n),
        *p.c_defines("C_M", "C_N"),
    )  # fmt: skip
    args = (*p.c_refs, Out(), np.float32(p.beta))
    size = grid(p.output.size)
    return (KernelCall("gemm_prepare", "gemm_prepare", args, size, None, defines),)


def _finish(p: Product, device: DeviceInfo) -> tuple[KernelCall, ...]:
    """The epilogue, in place."""
    if not p.epilogue.steps:
        return ()
    defines = (
        *float_defines(p.output.dtype, device),
        ("SIZE", p.output.size),
        *p.epilogue_defines(device),
    )
    args = (Out(), *p.extra_refs)
    size = grid(p.output.size)
    return (KernelCall("gemm_finish", "gemm_finish", args, size, None, defines),)
