"""CLBlast's kernels as workloads: each has a space of its own parameters, which override CLBlast's.

CLBlast knows the best parameters of some devices and guesses for all others. An override holds for
a kernel, a precision and a device in the whole process, and cannot be taken back: what CLBlast
itself would use, the candidate ``untuned``, can only be run where nothing was overridden.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from clnet.calls import Candidate, Values, Workload, tunable
from clnet.device_info import DeviceInfo
from clnet.errors import DeviceError
from clnet.runtime import blas
from clnet.runtime.blas import Override
from clnet.runtime.devices import Device
from clnet.tensor_spec import TensorSpec
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.clblast_problems import CHECKS, Problem
from clnet.tuning.clblast_spaces import SPACES, Variant
from clnet.tuning.space import Point

UNTUNED = "untuned"

_SMALL, _LARGE = (({"XGEMM_MIN_INDIRECT_SIZE": n}) for n in (1, 1024))

#: What each kernel that BlasCall's routines use is timed with. SCAL has the parameters of Xaxpy.
TIMED: Mapping[str, tuple[Problem, ...]] = {
    "Xgemm": (  # as large as any, with rows that share cache lines, and as a convolution has it
        Problem("gemm", (1024, 1024, 1024)),
        *(Problem("gemm", (256, 784, 1152)),) * 4,
    ),
    "XgemmDirect": (Problem("gemm", (256, 256, 256)),),
    "GemmRoutine": tuple(  # each size for about as long
        Problem("gemm", (n, n, n))
        for n, times in ((64, 16), (128, 8), (192, 4), (256, 3), (384, 1), (512, 1))
        for _ in range(times)
    ),
    "Xgemv": (Problem("gemv", (1023, 1023)),),  # a size that the fast kernels do not take
    "XgemvFast": (Problem("gemv", (1024, 1024), a_transposed=True),),
    "XgemvFastRot": (Problem("gemv", (1024, 1024)),),
    "Xaxpy": (Problem("axpy", (1 << 20,)),),
}
#: So that the kernel that is meant computes products of every size. Both are in one program, and
#: most drivers compile all of it: the one that is not meant is as small as it can be.
_FORCED: Mapping[str, Mapping[str, Values]] = {
    "Xgemm": {
        "GemmRoutine": _SMALL,
        "XgemmDirect": {
            **dict.fromkeys(("WGD", "MDIMCD", "NDIMCD", "MDIMAD", "NDIMBD", "KWID"), 1),
            **{"VWMD": 1, "VWND": 1, "PADA": 0, "PADB": 0},
        },
    },
    "XgemmDirect": {"GemmRoutine": _LARGE},
}


@dataclass(frozen=True)
class ClblastKernel:
    """What stands for an op in the workload of a kernel. ``beside`` are overrides of other kernels
    that it is to be tuned with; they do not tell workloads apart."""

    kernel: str
    dtype: str
    beside: tuple[Override, ...] = field(default=(), compare=False)

    @property
    def label(self) -> str:
        """The name in tables."""
        return self.record_name

    @property
    def record_name(self) -> str:
        """The name in records."""
        return f"CLBlast:{self.kernel}"

    def __str__(self) -> str:
        return self.dtype

    def lower(self, workload: Workload, info: DeviceInfo) -> list[Candidate]:
        """CLBlast's own choice, then each variant of the kernel, under its first parameters."""
        calls = tuple(p.call(self.dtype) for p in TIMED[self.kernel])

        def vary(variant: Variant) -> Candidate | None:
            return tunable(
                lambda v: Candidate(variant.name, calls) if variant.fits(v) else None,
                variant.options,
            )

        varied = map(vary, SPACES[self.kernel](info, np.dtype(self.dtype).itemsize))
        return [Candidate(UNTUNED, calls), *(c for c in varied if c is not None)]

    @property
    def overrides(self) -> tuple[Override, ...]:
        """What has to hold, besides the kernel's own parameters, for the kernel to be used."""
        forced = _FORCED.get(self.kernel, {})
        return (*self.beside, *(Override.of(k, self.dtype, v) for k, v in forced.items()))

    @property
    def checks(self) -> tuple[Problem, ...]:
        """Problems that must be solved rightly."""
        timed = TIMED[self.kernel]
        return (*CHECKS[timed[0].routine], *dict.fromkeys(timed))

    @property
    def amount(self) -> tuple[float, str]:
        """Billions of operations or bytes of a run, and the unit of their rate."""
        timed, size = TIMED[self.kernel], np.dtype(self.dtype).itemsize
        if timed[0].routine == "gemm":
            return sum(2e-9 * np.prod(p.sizes, dtype=float) for p in timed), "GFLOP/s"
        elements = sum(np.prod(s) for p in timed for s in p.shapes)
        written = timed[0].shapes[-1][0] if timed[0].routine == "axpy" else 0
        return 1e-9 * size * float(elements + written), "GB/s"


def workload_of(kernel: str, dtype: str, beside: tuple[Override, ...] = ()) -> Workload:
    """The workload that a kernel is tuned with."""
    largest = max(TIMED[kernel], key=lambda p: p.sizes)
    *inputs, output = (TensorSpec(shape, dtype) for shape in largest.shapes)
    op = ClblastKernel(kernel, dtype, beside)
    return Workload(op, tuple(inputs), (output,), (False,) * len(inputs))


def kernels(info: DeviceInfo) -> list[tuple[str, str]]:
    """Kernels and dtypes that CLBlast is asked for on a device."""
    if not info.blas:
        return []
    dtypes = ("float32", "float16") if info.fp16 else ("float32",)
    return [(kernel, dtype) for dtype in dtypes for kernel in TIMED]


def override_of(kernel: str, dtype: str, point: Point) -> Override | None:
    """What a point overrides; None where it leaves CLBlast its own."""
    return None if point.candidate == UNTUNED else Override(kernel, dtype, point.values)


def recorded(choice: RecordedChoice, kernel: str, dtype: str) -> Point | None:
    """What is recorded for the device and this version of CLBlast, if it is in the space."""
    workload = workload_of(kernel, dtype)
    record = choice.recorded(workload, workload.candidates(choice.info))
    return None if record is None else record.point


def is_tuned(choice: RecordedChoice, kernel: str, dtype: str) -> bool:
    """Whether there is a record that was made under exactly this device and driver."""
    workload = workload_of(kernel, dtype)
    return choice.is_tuned(workload, workload.candidates(choice.info))


def overrides(choice: RecordedChoice) -> tuple[Override, ...]:
    """All that is recorded and not CLBlast's own choice."""
    found = []
    for kernel, dtype in kernels(choice.info):
        point = recorded(choice, kernel, dtype)
        found.append(override_of(kernel, dtype, point) if point else None)
    return tuple(o for o in found if o is not None)


def apply(device: Device, choice: RecordedChoice) -> None:
    """Let CLBlast compute under what is recorded. What it refuses is warned of."""
    for change in overrides(choice):
        try:
            blas.override(device.cl_device, change)
        except DeviceError as error:
            warnings.warn(f"a tuning record is ignored: {error}", stacklevel=2)
