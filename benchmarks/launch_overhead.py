"""What running a plan costs per launch beyond the kernels themselves.

    python -m benchmarks.launch_overhead [MODEL.onnx] [--runs N] [--limit MICROSECONDS]

Without a model: a plan of 200 launches of a kernel that does almost nothing, so that nearly all of
its time is overhead. With one: the model's own plan. Runs are timed from the first enqueue to the
end of the last kernel; the kernels' own time is what the driver's profiling says, in runs of their
own since profiling costs time. The smallest of all runs counts: what else the machine does can only
add. Exit status 1 beyond the limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

import clnet
from clnet.calls import In, KernelCall, Out
from clnet.runtime.devices import Device, find_device
from clnet.runtime.executable import BoundCall, Executable, Region
from clnet.runtime.memory import Buffer
from clnet.runtime.profiling import Profiler
from clnet.tensor_spec import TensorSpec

LAUNCHES = 200


def empty_plan(device: Device) -> Executable:
    """A chain of launches, each of which converts one number."""
    defines = (("SOURCE", "float"), ("TARGET", "float"), ("SIZE", 1), ("FROM_HALF", 0),
               ("TO_HALF", 0), ("TO_BOOL", 0), ("FP64", 0))  # fmt: skip
    call = KernelCall("cast", "cast", (In(), Out()), (1,), None, defines)
    spec = TensorSpec((1,), "float32")
    buffers = [Buffer(device.context, spec.nbytes, device.memory_policy) for _ in range(2)]
    ends = [Region(b, 0, spec) for b in buffers]
    calls = [BoundCall(call, (ends[i % 2], ends[1 - i % 2])) for i in range(LAUNCHES)]
    return Executable(device, calls, buffers)


def smallest(measure: Callable[[], float], runs: int) -> float:
    """The smallest of several measurements."""
    return min(measure() for _ in range(runs))


def whole_run(executable: Executable) -> float:
    """Seconds from the first enqueue to the end of the last kernel."""
    started = time.perf_counter()
    executable.run()
    executable.queue.finish()
    return time.perf_counter() - started


def enqueue_only(executable: Executable) -> float:
    """Seconds that the loop itself takes."""
    started = time.perf_counter()
    executable.run()
    seconds = time.perf_counter() - started
    executable.queue.finish()
    return seconds


def kernels_alone(profiler: Profiler) -> float:
    """Seconds that the calls take by the driver's own account."""
    return sum(span.seconds for span in profiler.run())


def main() -> int:
    """Measure, print, return the exit status."""
    parser = argparse.ArgumentParser(description="overhead per launch")
    parser.add_argument("model", nargs="?")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--limit", type=float, default=6.0, help="microseconds per launch")
    options = parser.parse_args()
    device = find_device()
    if options.model:
        session = clnet.load(options.model, device)
        session.run({i.name: np.zeros(i.shape, i.dtype) for i in session.inputs})
        executable = session.compiled.executable
    else:
        executable = empty_plan(device)
    count = executable.launches
    total = smallest(lambda: whole_run(executable), options.runs)
    loop = smallest(lambda: enqueue_only(executable), options.runs)
    profiler = Profiler(executable)
    alone = smallest(lambda: kernels_alone(profiler), max(1, options.runs // 4))
    overhead = (total - alone) / count * 1e6
    print(
        f"{device}: {count} launches in {total * 1e6:.0f} µs, the kernels alone {alone * 1e6:.0f}"
    )
    print(f"per launch: {overhead:.2f} µs beyond the kernels ({loop / count * 1e6:.2f} to enqueue)")
    return int(overhead > options.limit)


if __name__ == "__main__":
    sys.exit(main())
