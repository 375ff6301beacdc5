"""Buffers that host and device share, how they are mapped, and a count of every copied byte."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from clnet.errors import DeviceError
from clnet.runtime.opencl import cl


class MemoryPolicy(Enum):
    """How the host reaches a buffer's memory."""

    #: on CPUs: the driver allocates, and one mapping stands while kernels run. PoCL leaves every
    #: mapping to its threads, and waking one takes longer than a small model
    STANDING_MAP = "standing_map"
    ALLOC_HOST_PTR = "alloc_host_ptr"  #: the driver allocates, mapping aliases
    USE_HOST_PTR = "use_host_ptr"  #: clnet allocates page-aligned memory, mapping aliases
    COPY = "copy"  #: the device's own memory; reads and writes are enqueued


@dataclass
class Transfers:
    """Counts what the runtime enqueues between host and device."""

    bytes_copied: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, nbytes: int) -> None:
        """Count one enqueued read, write or copy."""
        with self._lock:
            self.bytes_copied += nbytes


PAGE = 4096


def page_aligned(nbytes: int) -> np.ndarray:
    """Host memory that starts on a page and fills whole pages."""
    size = -(-nbytes // PAGE) * PAGE
    raw = np.empty(size + PAGE, np.uint8)
    start = -raw.ctypes.data % PAGE
    return raw[start : start + size]


class Buffer:
    """Device-visible memory of ``nbytes``. ``cl_buffer`` goes to kernels."""

    def __init__(self, context: Any, nbytes: int, policy: MemoryPolicy) -> None:
        flags = cl.mem_flags.READ_WRITE
        self.nbytes, self.policy = max(1, nbytes), policy
        self._standing: Any = None  # a NumPy view of a mapping of all bytes
        # NVIDIA's driver would promise any amount, and fail at the first launch.
        if nbytes > (there := context.devices[0].global_mem_size):
            raise DeviceError(f"cannot allocate {nbytes} bytes on the device, which has {there}")
        try:
            if policy in (MemoryPolicy.ALLOC_HOST_PTR, MemoryPolicy.STANDING_MAP):
                flags |= cl.mem_flags.ALLOC_HOST_PTR
                self.cl_buffer = cl.Buffer(context, flags, self.nbytes)
            elif policy is MemoryPolicy.USE_HOST_PTR:
                flags |= cl.mem_flags.USE_HOST_PTR
                self.cl_buffer = cl.Buffer(context, flags, hostbuf=page_aligned(self.nbytes))
            else:
                self.cl_buffer = cl.Buffer(context, flags, self.nbytes)
        except cl.Error as error:
            raise DeviceError(
                f"cannot allocate {self.nbytes} bytes on the device: {error}"
            ) from None

    @contextmanager
    def map(
        self, queue: Any, transfers: Transfers, shape: tuple[int, ...], dtype: str, *,
        write: bool, offset: int = 0,
    ) -> Iterator[np.ndarray]:  # fmt: skip
        """A NumPy view of ``shape`` and ``dtype``, ``offset`` bytes in; valid inside the block.

        ``write`` True: what stood there before is undefined, the device sees what is written.
        ``write`` False: the view is read-only. Waits for the queue where it must.
        """
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        if nbytes == 0:
            yield np.empty(shape, dtype)
        elif self.policy is MemoryPolicy.COPY:
            yield from self._copy(queue, transfers, shape, dtype, write, offset)
        elif self.policy is MemoryPolicy.STANDING_MAP:
            view = self._stand(queue)[offset : offset + nbytes].view(dtype).reshape(shape)
            view.flags.writeable = write
            yield view
        else:
            flags = cl.map_flags.WRITE_INVALIDATE_REGION if write else cl.map_flags.READ
            view = self._map(queue, flags, offset, shape, dtype)
            mapping = view.base
            if not write:
                view.flags.writeable = False
            try:
                yield view
            finally:
                mapping.release(queue)

    def _map(self, queue: Any, flags: int, offset: int, shape: tuple[int, ...], dtype: str) -> Any:
        try:
            view, _ = cl.enqueue_map_buffer(
                queue, self.cl_buffer, flags, offset, shape, dtype, is_blocking=True
            )
        except cl.Error as error:
            size = f"{shape} of {dtype}"
            raise DeviceError(f"cannot map {size} of the device's memory: {error}") from None
        return view

    def _stand(self, queue: Any) -> np.ndarray:
        """All bytes, once what is enqueued has run."""
        if self._standing is None:
            flags = cl.map_flags.READ | cl.map_flags.WRITE
            self._standing = self._map(queue, flags, 0, (self.nbytes,), "uint8")
        else:
            try:
                queue.finish()
            except cl.Error as error:
                raise DeviceError(f"what was enqueued has failed: {error}") from None
        found: np.ndarray = self._standing
        return found

    def _copy(
        self, queue: Any, transfers: Transfers, shape: tuple[int, ...], dtype: str,
        write: bool, offset: int,
    ) -> Iterator[np.ndarray]:  # fmt: skip
        view = np.empty(shape, dtype)
        if not write:
            cl.enqueue_copy(queue, view, self.cl_buffer, src_offset=offset)
            transfers.add(view.nbytes)
            view.flags.writeable = False
        yield view
        if write:
            cl.enqueue_copy(queue, self.cl_buffer, view, dst_offset=offset)
            transfers.add(view.nbytes)

    def region(self, offset: int, nbytes: int) -> Any:
        """What begins at ``offset``, for kernels: the buffer itself, or a sub-buffer. ``offset`` is
        aligned as the device asks."""
        if offset == 0:
            return self.cl_buffer
        return self.cl_buffer.get_sub_region(offset, max(1, nbytes), cl.mem_flags.READ_WRITE)

    def release(self) -> None:
        """Give the memory back now."""
        if self._standing is not None:
            self._standing.base.release()
            self._standing = None
        self.cl_buffer.release()


_PROBE = "__kernel void probe(__global int* x) { x[get_global_id(0)] += 1; }"
_PROBE_INTS = 4096


def probe_policy(context: Any, queue: Any, unified: bool, is_cpu: bool) -> MemoryPolicy:
    """The first policy whose mapping really aliases the device's memory, or COPY.

    A device that does not call its memory unified may still map (NVIDIA does, by copying), so it
    is not even tried. Where memory is unified, a driver that maps through a copy of its own (Mesa
    does for some GPUs) gives itself away: two mappings of one buffer at once do not lie in one
    another or, since USE_HOST_PTR fixes the address, a kernel's result stands in our pages only
    once they are mapped again. OpenCL does not promise that a mapping can stand while kernels run,
    so that is for CPUs alone, whose kernels must be seen to write and to read what it shows.
    """
    if not unified:
        return MemoryPolicy.COPY
    kernel = cl.Kernel(cl.Program(context, _PROBE).build(), "probe")
    standing = (MemoryPolicy.STANDING_MAP,) if is_cpu else ()
    for policy in (*standing, MemoryPolicy.ALLOC_HOST_PTR, MemoryPolicy.USE_HOST_PTR):
        if _aliases(context, queue, kernel, policy):
            return policy
    return MemoryPolicy.COPY


def _aliases(context: Any, queue: Any, kernel: Any, policy: MemoryPolicy) -> bool:
    count, half = _PROBE_INTS, _PROBE_INTS // 2
    expected = np.arange(count, dtype=np.int32) + 1
    buffer = Buffer(context, expected.nbytes, policy)

    def mapped(first: int, *, write: bool) -> AbstractContextManager[np.ndarray]:
        shape = (count - first,)
        return buffer.map(queue, Transfers(), shape, "int32", write=write, offset=first * 4)

    try:
        for start in (expected - 3, expected - 1):
            with mapped(0, write=True) as view:
                view[...] = start
                address = view.ctypes.data
            kernel.set_args(buffer.cl_buffer)
            cl.enqueue_nd_range_kernel(queue, kernel, (count,), None)
            queue.finish()
            if policy is not MemoryPolicy.ALLOC_HOST_PTR:  # pages that stay, mapped anew or not
                pages = np.ctypeslib.as_array((ctypes.c_int32 * count).from_address(address))
                if not np.array_equal(pages, start + 1):
                    return False
        with mapped(0, write=False) as whole, mapped(half, write=False) as part:
            same_memory = part.ctypes.data == whole.ctypes.data + half * 4
            return same_memory and np.array_equal(whole, expected)
    finally:
        queue.finish()
        buffer.release()
