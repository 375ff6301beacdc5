"""What scripts/boards runs on a GPU whose launches do nothing: results are not looked at.

board_worker.py DEVICE-NAME MODEL.onnx ...     load and run, each precision, each memory policy
board_worker.py DEVICE-NAME --ops              every candidate of every op's test cases
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

import clnet  # noqa: E402
from clnet.ops import registry  # noqa: E402
from clnet.runtime.devices import Device, find_device  # noqa: E402
from clnet.runtime.memory import MemoryPolicy  # noqa: E402


def run_models(device: Device, models: list[str]) -> None:
    """Mapped memory is exercised too, which no probe can find where kernels compute nothing."""
    policies = [MemoryPolicy.ALLOC_HOST_PTR, MemoryPolicy.USE_HOST_PTR, MemoryPolicy.COPY]
    for model in models:
        for precision in ("fp32", "fp16"):
            for policy in policies:
                device.memory_policy = policy
                started = time.perf_counter()
                with clnet.load(model, device, precision) as session:
                    loaded = time.perf_counter() - started
                    feeds = {i.name: np.zeros(i.shape, i.dtype) for i in session.inputs}
                    session.run(feeds)
                    session.run(feeds)
                    what = f"{Path(model).stem} {precision} {policy.value}"
                    print(f"ok {what}: {session.stats.launches} launches, loaded in {loaded:.1f} s",
                          flush=True)  # fmt: skip


def run_ops() -> None:
    """Kernels that do not compile or launch are listed; the exit status says if there were any."""
    from harness import candidate_names, run

    failures = 0
    for op in registry():
        for number, case in enumerate(op.cases()):
            print(f"ok up to {case.op.label}-{number}", flush=True)
            try:
                for name in candidate_names(case):
                    run(case, name)
                run(case, precision="fp16")
            except clnet.ClnetError as error:
                failures += 1
                print(f"{case.op.label}-{number}: {error}", flush=True)
    sys.exit(bool(failures))


if __name__ == "__main__":
    found = find_device()
    if sys.argv[1] not in found.info.name:
        sys.exit(f"the device is {found}, not {sys.argv[1]}")
    if sys.argv[2:] == ["--ops"]:
        run_ops()
    else:
        run_models(found, sys.argv[2:])
