"""Finds OpenCL devices, describes them, and picks the one that the user means."""

from __future__ import annotations

import os
import threading
import warnings
from functools import cached_property, lru_cache
from typing import Any

from clnet.device_info import DeviceInfo
from clnet.errors import DeviceError
from clnet.runtime import blas
from clnet.runtime.memory import MemoryPolicy, Transfers, probe_policy
from clnet.runtime.opencl import cl


class Device:
    """One OpenCL device. Sessions share its context; each has a queue of its own.

    ``index`` counts over all platforms; ``address`` is "platform:device", as other tools count.
    """

    def __init__(self, index: int, address: str, cl_device: Any) -> None:
        self.index, self.address, self.cl_device = index, address, cl_device
        self.uploads = Transfers()  # weights on their way to the device, not part of any run
        self._lock = threading.Lock()

    @cached_property
    def info(self) -> DeviceInfo:
        """The device as plain data."""
        return describe(self.cl_device)

    @cached_property
    def context(self) -> Any:
        """The OpenCL context that everything on this device lives in."""
        try:
            return cl.Context([self.cl_device])
        except cl.Error as error:
            raise DeviceError(f"{self}: cannot create a context: {error}") from None

    @cached_property
    def memory_policy(self) -> MemoryPolicy:
        """How host and device share memory here, found by a probe. Raises DeviceError where the
        device cannot build or run the probe's kernel."""
        with self._lock:
            try:
                info = self.info
                return probe_policy(
                    self.context, self.new_queue(), info.unified_memory, info.is_cpu
                )
            except cl.Error as error:
                raise DeviceError(f"{self} does not work: {driver_reason(str(error))}") from None

    @property
    def is_pocl(self) -> bool:
        """Whether this is PoCL, whose compiler wants some consideration."""
        return "portable computing language" in self.info.platform.lower()

    @property
    def team(self) -> int:
        """Work-items that go through a chain of launches together: on PoCL, one for each core that
        this process may use. Elsewhere one: Intel's runtime took three to six times as long to
        compile, and MobileNetV2 gained nothing; nobody knows which of a GPU's items run at once."""
        if not self.is_pocl or not self.info.is_cpu:
            return 1
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1 << 16
        return max(1, min(self.info.compute_units, allowed))

    def new_queue(self) -> Any:
        """A new in-order queue."""
        return cl.CommandQueue(self.context)

    def __str__(self) -> str:
        return f"{self.info.name} ({self.info.platform})"


@lru_cache(maxsize=1)
def devices() -> tuple[Device, ...]:
    """All OpenCL devices, in the platforms' order. Empty where no platform is installed."""
    found = []
    try:
        platforms = cl.get_platforms()
    except cl.Error:  # the loader's way of saying that there is none
        return ()
    for number, platform in enumerate(platforms):
        try:
            found += [(f"{number}:{i}", d) for i, d in enumerate(platform.get_devices())]
        except cl.Error:  # a platform without devices raises instead of giving none
            continue
    return tuple(Device(i, address, d) for i, (address, d) in enumerate(found))


def find_device(selector: str | int | Device | None = None) -> Device:
    """The device meant by an index, ``"platform:device"`` indices, or a part of a name.

    None asks ``CLNET_DEVICE``, then takes the best one that works: a GPU before a CPU. One that
    is passed over is warned of. Raises DeviceError naming what there is.
    """
    if isinstance(selector, Device):
        return selector
    if selector is None:
        selector = os.environ.get("CLNET_DEVICE") or None
    known = devices()
    if not known:
        raise DeviceError("no OpenCL device found; `clnet doctor` says why and how to mend it")
    return _best(known) if selector is None else _match(str(selector), known)


def _best(known: tuple[Device, ...]) -> Device:
    faults = []
    for device in sorted(known, key=_rank):
        try:
            device.memory_policy  # noqa: B018  (a device that cannot share memory cannot compute)
        except DeviceError as error:
            faults.append(str(error))
            continue
        if faults:
            warnings.warn(f"{'; '.join(faults)}: {device} is used instead", stacklevel=3)
        return device
    raise DeviceError("; ".join(faults))


def _match(text: str, known: tuple[Device, ...]) -> Device:
    if text.isdecimal():
        matches = [d for d in known if d.index == int(text)]
    else:
        matches = [d for d in known if text == d.address] or [
            d for d in known if text.lower() in f"{d.info.platform} {d.info.name}".lower()
        ]
    if matches:
        return matches[0]
    listed = ", ".join(f"{d.index}: {d}" for d in known)
    raise DeviceError(f"no OpenCL device matches {text!r}; there are {listed}")


def _rank(device: Device) -> tuple[int, int]:
    """Lower is better: real GPUs, then CPUs, then GPUs in software; PoCL before other CPUs."""
    info = device.info
    software = "llvmpipe" in info.name.lower()
    if software:
        return (2, device.index)
    if info.kind == "gpu":
        return (0, device.index)
    return (1, 0 if "portable" in info.platform.lower() else 1 + device.index)


def describe(device: Any) -> DeviceInfo:
    """Read a device's limits; what its driver is known to do badly is corrected here."""
    extensions = set(device.extensions.split())
    platform = device.platform
    # Mesa's llvmpipe, whatever it says it is, computes neighbouring work-items in one vector.
    is_cpu = bool(device.type & cl.device_type.CPU) and "llvmpipe" not in device.name
    width = device.native_vector_width_float or device.preferred_vector_width_float or 4
    width = max(w for w in (1, 2, 4, 8, 16) if w <= width)
    if is_cpu:
        width = max(width, 4)  # PoCL says 1 on ARM, whose vectors hold four
    form = "fma"
    if is_cpu and "portable" in platform.name.lower():
        if _pocl_version(platform.version) < (3, 1):
            width, form = min(width, 8), "plain"  # float16 aborts LLVM 14; fma is a library call
    elif not is_cpu:
        width, form = min(max(width, 4), 4), "mad"
    return DeviceInfo(
        name=device.name.strip(),
        vendor=device.vendor.strip(),
        platform=platform.name.strip(),
        driver=f"{platform.version.strip()} / {device.driver_version.strip()}",
        kind="cpu" if is_cpu else "gpu",
        compute_units=device.max_compute_units,
        vector_width=width,
        multiply_add=form,
        max_work_group_size=device.max_work_group_size,
        max_work_item_sizes=tuple(device.max_work_item_sizes),
        local_memory=device.local_mem_size,
        address_align=max(device.mem_base_addr_align // 8, 16),
        global_memory=device.global_mem_size,
        max_allocation=device.max_mem_alloc_size,
        fp16="cl_khr_fp16" in extensions,
        fp64="cl_khr_fp64" in extensions,
        images=bool(device.image_support),
        unified_memory=bool(device.host_unified_memory),
        blas=blas.available(),
    )


def driver_reason(text: str) -> str:
    """What a driver says, in one line: the compiler's error where there is one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith("error:")), lines[0] if lines else "")
    if "unknown target CPU" in reason:  # LLVM does not know processors that are younger
        return f"it is too old for this processor ({reason})"
    return reason


def _pocl_version(text: str) -> tuple[int, int]:
    """(3, 1) out of "OpenCL 3.0 PoCL 3.1+debian …"."""
    for word in text.replace("pocl", "PoCL").partition("PoCL")[2].split():
        parts = word.split("+")[0].split("-")[0].split(".")
        if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit():
            return int(parts[0]), int(parts[1])
    return (0, 0)
