"""An op for tests whose candidates fail in every way that drivers know."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Packed, PackedRef, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Op
from clnet.tensor_spec import TensorSpec

SPEC = TensorSpec((64,))


def crash() -> np.ndarray:
    """As a compiler does that cannot scalarize a vector."""
    os.abort()


def hang() -> np.ndarray:
    """As a kernel does that never ends."""
    time.sleep(3600)
    return np.zeros(64, np.float32)


def _call(body: str, *more: PackedRef) -> KernelCall:
    unused = ", __global const float* unused" * len(more)
    parameters = f"__global const float* in0{unused}, __global float* out0"
    defines = (
        ("PARAMETERS", parameters), ("SIZE", 64), ("VW", 1), ("ROW", 64),
        ("SCALAR_BODY", body),
    )  # fmt: skip
    return KernelCall("elementwise", "elementwise", (In(), *more, Out()), (64,), None, defines)


GOOD = "out0[i] = in0[i] * 2;"


@dataclass(frozen=True)
class BadOp(Op):
    """y = 2 x, by candidates named after what befalls them."""

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        def packed(pack: object) -> Candidate:
            name = pack.__name__  # type: ignore[attr-defined]
            table = Packed(None, pack, SPEC)  # type: ignore[arg-type]
            return Candidate(name, (_call(GOOD, PackedRef()),), packed=(table,))  # type: ignore[arg-type]

        return [
            Candidate("right", (_call(GOOD),)),
            packed(crash),
            packed(hang),
            Candidate("does_not_compile", (_call("out0[i] = no_such_thing;"),)),
            Candidate("exhausts_memory", (_call(GOOD),), workspace=(1 << 35,)),
            Candidate("wrong", (_call("out0[i] = in0[i] * 2.1f;"),)),
            Candidate("leaves_out", (_call("if (i != 5) out0[i] = in0[i] * 2;"),)),
            Candidate("not_finite", (_call("out0[i] = i == 3 ? INFINITY : in0[i] * 2;"),)),
            # PoCL 3.0's compiler aborts on this on some processors; others take it
            Candidate("wide", (_call("out0[i] = fma((float16)in0[i], (float16)2, 0).s3;"),)),
            Candidate("also_right", (_call("out0[i] = in0[i] + in0[i];"),)),
        ]


WORKLOAD = Workload(BadOp(), (SPEC,), (SPEC,), (False,))
