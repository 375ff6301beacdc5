"""A kernel of CLBlast for tests, with parameters that CLBlast refuses or computes wrongly under."""

from __future__ import annotations

from dataclasses import dataclass

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.tuning.clblast import UNTUNED, ClblastKernel, workload_of

PARAMETERS = {
    "right": {"WGS2": 32, "WPT2": 1, "VW2": 1},
    "incomplete": {"WGS2": 32, "WPT2": 1},
    # Reads whole rows where columns are left, and writes past the end of short results.
    "unsound": {"WGS2": 16, "WPT2": 4, "VW2": 4},
    "does_not_compile": {"WGS2": 32, "WPT2": 1, "VW2": 3},
}


@dataclass(frozen=True)
class BadKernel(ClblastKernel):
    """XgemvFast, by candidates named after what befalls them."""

    def lower(self, workload: Workload, info: DeviceInfo) -> list[Candidate]:
        calls = super().lower(workload, info)[0].calls
        bad = [Candidate(name, calls, values=values) for name, values in PARAMETERS.items()]
        return [Candidate(UNTUNED, calls), *bad]


_REAL = workload_of("XgemvFast", "float32")
WORKLOAD = Workload(BadKernel("XgemvFast", "float32"), _REAL.inputs, _REAL.outputs, _REAL.constant)
