"""Watches every OpenCL call that reaches the driver, whoever makes it.

Each OpenCL object starts with a pointer to its driver's table of functions, through which the
loader calls the driver (cl_khr_icd). Replacing entries of that table sees the calls of pyopencl
and CLBlast alike, and trusts nothing that clnet counts itself.
"""

from __future__ import annotations

import ctypes
import mmap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from clnet.runtime.devices import Device

# Positions in the table, which the extension cl_khr_icd fixes.
CREATED = {14: "clCreateBuffer", 82: "clCreateSubBuffer", 17: "clRetainMemObject"}
RELEASED = {18: "clReleaseMemObject"}
COPIES = {
    48: "clEnqueueReadBuffer", 49: "clEnqueueWriteBuffer", 50: "clEnqueueCopyBuffer",
    51: "clEnqueueReadImage", 52: "clEnqueueWriteImage", 53: "clEnqueueCopyImage",
    54: "clEnqueueCopyImageToBuffer", 55: "clEnqueueCopyBufferToImage",
    86: "clEnqueueReadBufferRect", 87: "clEnqueueWriteBufferRect", 88: "clEnqueueCopyBufferRect",
    102: "clEnqueueFillBuffer", 103: "clEnqueueFillImage", 104: "clEnqueueMigrateMemObjects",
}  # fmt: skip
OTHER = {56: "clEnqueueMapBuffer", 58: "clEnqueueUnmapMemObject", 59: "clEnqueueNDRangeKernel"}

# Enough machine words for the call with the most arguments; what a call does not use is passed on
# unread.
_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_size_t, *[ctypes.c_size_t] * 14)


@contextmanager
def watch(device: Device) -> Iterator[Counter[str]]:
    """Counts the calls that the device's driver gets inside the block, by name."""
    counts: Counter[str] = Counter()
    objects = (device.cl_device, device.context, device.new_queue())
    tables = {ctypes.c_size_t.from_address(o.int_ptr).value for o in objects}
    names = CREATED | RELEASED | COPIES | OTHER
    undo, keep = [], []
    for table in tables:
        _make_writable(table, (max(names) + 1) * ctypes.sizeof(ctypes.c_size_t))
        for position, name in names.items():
            entry = ctypes.c_size_t.from_address(table + position * ctypes.sizeof(ctypes.c_size_t))
            if entry.value:
                spy = _FUNCTION(_counting(name, _FUNCTION(entry.value), counts))
                undo.append((entry, entry.value))
                keep.append(spy)
                entry.value = ctypes.cast(spy, ctypes.c_void_p).value or 0
    try:
        yield counts
    finally:
        for entry, original in undo:
            entry.value = original


def live_buffers(counts: Counter[str]) -> int:
    """How many references to buffers were made and not given back."""
    made = sum(counts[name] for name in CREATED.values())
    return made - sum(counts[name] for name in RELEASED.values())


def copies(counts: Counter[str]) -> dict[str, int]:
    """The calls that move bytes, by name."""
    return {name: counts[name] for name in COPIES.values() if counts[name]}


def _counting(name: str, original, counts: Counter[str]):  # type: ignore[no-untyped-def]
    def call(*arguments: int) -> int:
        counts[name] += 1
        return original(*arguments)

    return call


def _make_writable(address: int, nbytes: int) -> None:
    """Drivers keep their table in read-only pages."""
    start = address - address % mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    flags = mmap.PROT_READ | mmap.PROT_WRITE
    size = ctypes.c_size_t(address + nbytes - start)
    if libc.mprotect(ctypes.c_void_p(start), size, flags):
        raise OSError(ctypes.get_errno(), "mprotect")
