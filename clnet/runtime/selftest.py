"""Does a device do what clnet asks of it? Every check launches something and looks at the numbers.

`python -m clnet.runtime.selftest` prints the platforms and devices as JSON, with a device's index
it checks that one: a line of JSON per check, as soon as it is known. `clnet doctor` runs both in
child processes, so that a driver that crashes or hangs takes only the child along.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from clnet.errors import ClnetError
from clnet.runtime import blas
from clnet.runtime.devices import Device, devices, driver_reason
from clnet.runtime.memory import Buffer, MemoryPolicy, Transfers
from clnet.runtime.opencl import cl

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One line of a self-test: what was tried, how it went, and the figures or the reason."""

    name: str
    status: Status
    detail: str


def survey() -> dict[str, Any]:
    """Platforms and devices as plain data."""
    try:
        platforms = cl.get_platforms()
    except cl.Error:  # the loader's way of saying that there is none
        platforms = []
    return {
        "loader": _loaded_loader(),
        "platforms": [{"name": p.name.strip(), "version": p.version.strip()} for p in platforms],
        "devices": [
            {
                "index": device.index,
                "address": device.address,
                "name": device.info.name,
                "platform": device.info.platform,
                "driver": device.info.driver,
                "kind": device.info.kind,
            }
            for device in devices()
        ],
    }


def _loaded_loader() -> str:
    """The file of the OpenCL loader that this process uses; empty where the system hides it."""
    try:
        with open("/proc/self/maps") as maps:
            return next((line.split()[-1] for line in maps if "/libOpenCL" in line), "")
    except OSError:
        return ""


def selftest(device: Device) -> Iterator[Check]:
    """All checks of a device, the most basic first."""
    checks: dict[str, Callable[[Device], Check]] = {
        "kernels": _kernels,
        "mapping": _mapping,
        "fp16": _fp16,
        "images": _images,
        "CLBlast": _clblast,
    }
    for name, function in checks.items():
        try:
            yield function(device)
        except cl.Error as error:
            yield Check(name, "failed", driver_reason(str(error))[:200])
        except ClnetError as error:
            yield Check(name, "failed", " ".join(str(error).split())[:200])


_KERNELS = """
__kernel void fill(__global int* out, const int size) {
    const int i = get_global_id(0);
    if (i < size) out[i] = 3 * i + (int)get_local_size(0);
}

__kernel void count(__global int* out, const int rounds) {
    int sum = 0;
    for (int i = 0; i < rounds; ++i)
        for (int j = 0; j < rounds; ++j) sum = (sum ^ j) + 1;
    out[0] = sum;
}
"""
#: Rounds of each of two loops: Mesa 22's llvmpipe ends all loops after 65535.
_ROUNDS = 300


def _kernels(device: Device) -> Check:
    """Work-groups of one item, of odd sizes and of the largest, on sizes they do not divide; loops
    that go on for long."""
    queue = device.new_queue()
    program = _build(device, _KERNELS)
    if not _counts(device, queue, cl.Kernel(program, "count")):
        return Check("kernels", "failed", "long loops end early: results will be wrong")
    kernel = cl.Kernel(program, "fill")
    limit = kernel.get_work_group_info(cl.kernel_work_group_info.WORK_GROUP_SIZE, device.cl_device)
    limit = min(limit, device.info.max_work_item_sizes[0])
    for local in sorted({1, min(7, limit), max(1, limit - 1), limit}):
        size = 3 * local + 1
        out = np.zeros(size, np.int32)
        buffer = cl.Buffer(device.context, cl.mem_flags.WRITE_ONLY, out.nbytes)
        kernel.set_args(buffer, np.int32(size))
        cl.enqueue_nd_range_kernel(queue, kernel, (4 * local,), (local,))
        cl.enqueue_copy(queue, out, buffer)
        if not np.array_equal(out, 3 * np.arange(size) + local):
            return Check("kernels", "failed", f"wrong results in work-groups of {local}")
    return Check("kernels", "ok", f"work-groups of 1 to {limit} items give the right results")


def _counts(device: Device, queue: Any, kernel: Any) -> bool:
    """Whether a kernel's loops run to their end."""
    expected = 0
    for _ in range(_ROUNDS):
        for j in range(_ROUNDS):
            expected = (expected ^ j) + 1
    out = np.zeros(1, np.int32)
    buffer = cl.Buffer(device.context, cl.mem_flags.WRITE_ONLY, out.nbytes)
    kernel.set_args(buffer, np.int32(_ROUNDS))
    cl.enqueue_nd_range_kernel(queue, kernel, (1,), None)
    cl.enqueue_copy(queue, out, buffer)
    return bool(out[0] == expected)


def _mapping(device: Device) -> Check:
    """A round trip through clnet's own buffers, every copied byte counted."""
    size, policy = 1000, device.memory_policy
    queue, transfers = device.new_queue(), Transfers()
    buffer = Buffer(device.context, size * 4, policy)
    kernel = cl.Kernel(_build(device, "__kernel void twice(__global float* x) {"
                                      " x[get_global_id(0)] *= 2; }"), "twice")  # fmt: skip
    values = np.arange(size, dtype=np.float32)
    with buffer.map(queue, transfers, (size,), "float32", write=True) as view:
        view[...] = values
    kernel.set_args(buffer.cl_buffer)
    cl.enqueue_nd_range_kernel(queue, kernel, (size,), None)
    with buffer.map(queue, transfers, (size,), "float32", write=False) as view:
        right = bool((view == 2 * values).all())
    buffer.release()
    if not right:
        return Check("mapping", "failed", f"{policy.value}: wrong values came back")
    if policy is not MemoryPolicy.COPY:
        detail = f"{policy.value}: host and device share memory, {transfers.bytes_copied} B copied"
        return Check("mapping", "failed" if transfers.bytes_copied else "ok", detail)
    if device.info.unified_memory:
        reason = "memory is said to be shared, but mapping does not alias: inputs are copied"
        return Check("mapping", "warning", reason)
    return Check("mapping", "ok", "the device has its own memory: inputs and outputs are copied")


_FP16 = """
#if COMPUTE
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#endif
__kernel void halve(__global const half* x, __global half* y) {
    const int i = get_global_id(0);
#if COMPUTE
    y[i] = x[i] * x[i] + (half)1;
#else
    const float v = vload_half(i, x);
    vstore_half_rte(v * v + 1, i, y);
#endif
}
"""


def _fp16(device: Device) -> Check:
    """Halves in memory, which every device must do, and in arithmetic where it says it can."""
    x = np.linspace(-8, 8, 101, dtype=np.float16)
    expected = x.astype(np.float32) ** 2 + 1
    for compute in (0, 1) if device.info.fp16 else (0,):
        program = _build(device, f"#define COMPUTE {compute}\n{_FP16}")
        y = _apply(device, program, "halve", x)
        if np.abs(y.astype(np.float32) - expected).max() > 0.1:
            place = "computing in" if compute else "storing"
            return Check("fp16", "failed", f"{place} half gives wrong results")
    if device.info.fp16:
        return Check("fp16", "ok", "stored and computed")
    return Check("fp16", "ok", "stored; computed in fp32 (no cl_khr_fp16)")


_IMAGES = """
__constant sampler_t nearest = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE
                             | CLK_FILTER_NEAREST;
__kernel void fetch(__read_only image2d_t image, __global float* y) {
    const int i = get_global_id(0);
    vstore4(read_imagef(image, nearest, (int2)(i % 5, i / 5)), i, y);
}
"""


def _images(device: Device) -> Check:
    """A small float image, read texel by texel."""
    if not device.info.images:
        return Check("images", "ok", "not supported, not needed")
    texels = np.arange(3 * 5 * 4, dtype=np.float32).reshape(3, 5, 4)
    form = cl.ImageFormat(cl.channel_order.RGBA, cl.channel_type.FLOAT)
    flags = cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR
    image = cl.create_image(device.context, flags, form, shape=(5, 3), hostbuf=texels)
    kernel = cl.Kernel(_build(device, _IMAGES), "fetch")
    queue, out = device.new_queue(), np.empty_like(texels)
    buffer = cl.Buffer(device.context, cl.mem_flags.WRITE_ONLY, out.nbytes)
    kernel.set_args(image, buffer)
    cl.enqueue_nd_range_kernel(queue, kernel, (15,), None)
    cl.enqueue_copy(queue, out, buffer)
    if not np.array_equal(out, texels):
        return Check("images", "warning", "read wrong values: images are not to be used here")
    limits = f"{device.cl_device.image2d_max_width}x{device.cl_device.image2d_max_height}"
    return Check("images", "ok", f"read right, up to {limits}")


def _clblast(device: Device) -> Check:
    """A small matrix product of odd sizes."""
    if not blas.available():
        return Check("CLBlast", "ok", "not installed: clnet's own GEMM is used")
    try:
        import pyclblast
        from pyopencl.array import empty, to_device
    except ImportError as error:  # the binding is there, the library it binds is not
        return Check("CLBlast", "warning", f"cannot be loaded: {error}")
    m, n, k = 33, 17, 29
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), np.float32), rng.random((k, n), np.float32)
    queue = device.new_queue()
    c = empty(queue, (m, n), np.float32)
    left, right = to_device(queue, a), to_device(queue, b)
    try:
        pyclblast.gemm(queue, m, n, k, left, right, c, a_ld=k, b_ld=n, c_ld=n)
        worst = float(np.abs(c.get() - a @ b).max())
    except RuntimeError as error:  # how the binding reports CLBlast's error codes
        return Check("CLBlast", "warning", f"does not work here: {error}")
    if not worst < 1e-4:
        return Check("CLBlast", "warning", f"a matrix product is off by {worst:.2g}")
    return Check("CLBlast", "ok", f"a {m}x{n}x{k} matrix product is right")


def _build(device: Device, source: str) -> Any:
    return cl.Program(device.context, source).build(cache_dir=False)


def _apply(device: Device, program: Any, name: str, x: np.ndarray) -> np.ndarray:
    """y of the same size as x, by ``kernel(x, y)`` with one work-item per element."""
    queue, y = device.new_queue(), np.empty_like(x)
    flags = cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR
    source = cl.Buffer(device.context, flags, hostbuf=x)
    target = cl.Buffer(device.context, cl.mem_flags.WRITE_ONLY, y.nbytes)
    kernel = cl.Kernel(program, name)
    kernel.set_args(source, target)
    cl.enqueue_nd_range_kernel(queue, kernel, (x.size,), None)
    cl.enqueue_copy(queue, y, target)
    return y


def _main(arguments: list[str]) -> None:
    if not arguments:
        print(json.dumps(survey()))
        return
    for check in selftest(devices()[int(arguments[0])]):
        print(json.dumps(dataclasses.asdict(check)), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
