"""Sums, differences and multiples on CLBlast's AXPY and SCAL: a copy, then one routine."""

from __future__ import annotations

from clnet.calls import BlasCall, Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.blas import blas_usable
from clnet.ops.cast import Cast
from clnet.ops.expression import Expression

#: Factor of the second operand in y = a + factor * b.
AXPY = {"Add": 1.0, "Sub": -1.0}


def blas_candidates(
    expression: Expression, workload: Workload, device: DeviceInfo
) -> list[Candidate]:
    """Candidates for one Add, Sub, Neg or Scale of floats that all have the output's shape."""
    y = workload.output
    if len(expression.steps) != 1 or any(s != y for s in workload.inputs):
        return []
    if not blas_usable(y.dtype, device):
        return []
    (step,) = expression.steps
    copied = Workload(Cast(y.dtype), workload.inputs[:1], (y,), workload.constant[:1])
    (copy,) = copied.op.lower(copied, device)[0].calls
    assert isinstance(copy, KernelCall)
    if step.function in AXPY and step.args == (0, 1):
        params = (("alpha", AXPY[step.function]),)
        call = BlasCall("axpy", y.dtype, (In(1), Out()), (y.size,), (0, 0), params)
    elif step.function in ("Neg", "Scale"):
        params = (("alpha", dict(step.params).get("factor", -1.0)),)
        call = BlasCall("scal", y.dtype, (Out(),), (y.size,), (0,), params)
    else:
        return []
    return [Candidate(f"clblast_{call.routine}", (copy, call))]
