"""CLBlast behind BlasCall: what the ops' own cases cannot say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from harness import candidate_names, check, device

from clnet.calls import BlasCall, Out
from clnet.errors import DeviceError
from clnet.ops import Arg, Case
from clnet.ops.elementwise import elementwise
from clnet.ops.gemm import Gemm
from clnet.runtime import blas
from clnet.runtime.memory import Buffer, MemoryPolicy

pytestmark = pytest.mark.skipif(not blas.available(), reason="pyclblast is not installed")


@pytest.mark.parametrize("name", ["Add", "Sub", "Neg"])
def test_elementwise_offers_blas(name: str) -> None:
    op = elementwise(name)
    case = Case(op, (Arg((3, 41)),) * op.expression.arity)
    (_, candidate) = candidate_names(case)
    assert candidate.startswith("clblast_")
    check(case, candidate)


def test_threads_may_call_at_once() -> None:
    cases = [Case(Gemm(), (Arg((9 + i, 17)), Arg((17, 21)), Arg((21,)))) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda c: check(c, "clblast_gemm"), cases))


def test_refusal_is_a_device_error() -> None:
    buffer = Buffer(device().context, 64, MemoryPolicy.COPY)
    call = BlasCall("scal", "float32", (Out(),), (1000,), (0,), (("alpha", 2.0),))
    with pytest.raises(DeviceError, match="CLBlast scal"):
        blas.bind(call, device().new_queue(), [buffer.cl_buffer])()


def test_offsets_start_inside_the_buffer() -> None:
    buffer = Buffer(device().context, 64, MemoryPolicy.ALLOC_HOST_PTR)
    queue, transfers = device().new_queue(), device().uploads
    with buffer.map(queue, transfers, (16,), "float32", write=True) as view:
        view[...] = 1
    call = BlasCall("scal", "float32", (Out(),), (5,), (7,), (("alpha", 3.0),))
    blas.bind(call, queue, [buffer.cl_buffer])()
    with buffer.map(queue, transfers, (16,), "float32", write=False) as view:
        np.testing.assert_array_equal(view, [1.0] * 7 + [3.0] * 5 + [1.0] * 4)
