"""What a device can do at most: its ceilings of multiply-adds and of memory bandwidth, measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from clnet.calls import In, KernelCall, Out
from clnet.ops.lowering import float_defines
from clnet.runtime.devices import Device
from clnet.runtime.executable import BoundCall, Executable, Region
from clnet.runtime.memory import Buffer
from clnet.tensor_spec import TensorSpec

#: Chains of multiply-adds per work-item: enough to hide their latency, few enough for registers.
_CHAINS = (4, 8, 10, 12, 16)
#: Bytes of each of the two buffers that are walked; beyond the caches of small boards.
_BUFFER = 64 << 20
_STEPS = 64
_REPEATS = 5
_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Ceilings:
    """Per second: multiply-adds from registers, and bytes read or written."""

    multiply_adds: float
    bandwidth: float


def measure_ceilings(device: Device, precision: str = "fp32") -> Ceilings:
    """Measure both; takes about three seconds. Raises DeviceError where the device refuses."""
    dtype = "float16" if precision == "fp16" else "float32"
    info = device.info
    width = info.vector_width
    common = (*float_defines(dtype, info), ("VW", width))
    itemsize = TensorSpec((1,), dtype).nbytes
    room = min(_BUFFER, info.max_allocation, info.global_memory // 16)
    items = max(1, room // (_STEPS * width * itemsize))
    spec = TensorSpec((items * _STEPS * width,), dtype)
    buffers = [Buffer(device.context, spec.nbytes, device.memory_policy) for _ in range(2)]
    x, y = (Region(buffer, 0, spec) for buffer in buffers)
    try:
        for region in (x, y):
            _fill(device, region)
        moved = (*common, ("STEPS", _STEPS), ("SPREAD", int(not info.is_cpu)))
        copy = KernelCall("ceilings", "ceiling_copy", (In(), Out()), (items,), None, moved)
        read = KernelCall("ceilings", "ceiling_read", (In(), Out()), (items,), None, moved)
        bandwidth = max(
            2 * spec.nbytes / _seconds(device, copy, x, y),
            spec.nbytes / _seconds(device, read, x, y),
        )
        rates = (work / _seconds(device, call, y) for call, work in _chains(device, common))
        return Ceilings(max(rates), bandwidth)
    finally:
        for buffer in buffers:
            buffer.release()


def _chains(
    device: Device, common: tuple[tuple[str, str | int | float], ...]
) -> Iterator[tuple[KernelCall, int]]:
    """Launches that do nothing but multiply and add, and how often."""
    import numpy as np

    info = device.info
    items, rounds = (16, 1 << 15) if info.is_cpu else (2048, 1 << 11)
    items *= info.compute_units
    local = (1,) if info.is_cpu else None  # else PoCL makes one group of them all, for one core
    arguments = (Out(), np.float32(0.5), np.float32(1))
    for chains in _CHAINS:
        defines = (*common, ("ACCUMULATORS", chains), ("ROUNDS", rounds))
        work = items * rounds * chains * info.vector_width
        call = KernelCall("ceilings", "ceiling_multiply_adds", arguments, (items,), local, defines)
        yield call, work


def _seconds(device: Device, call: KernelCall, *regions: Region) -> float:
    """Of one launch, the best of a few samples of several."""
    executable = Executable(device, [BoundCall(call, regions)], [])

    def sample(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            executable.run()
        executable.queue.finish()
        return (time.perf_counter() - started) / count

    sample(1)
    count = max(1, round(_SAMPLE_SECONDS / sample(1)))
    return min(sample(count) for _ in range(_REPEATS))


def _fill(device: Device, region: Region) -> None:
    """Ones: pages that were never written may all be the same page of zeros."""
    queue = device.new_queue()
    with region.buffer.map(
        queue, device.uploads, region.spec.shape, region.spec.dtype, write=True
    ) as view:
        view[...] = 1
    queue.finish()
