"""What an op may know of a device when it lowers itself: plain data, no OpenCL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeviceInfo:
    """Limits and habits of one OpenCL device. Sizes are in bytes."""

    name: str = "generic"
    vendor: str = ""
    platform: str = ""
    driver: str = ""
    kind: str = "cpu"  #: "cpu" or "gpu"
    compute_units: int = 1
    vector_width: int = 4  #: floats of an explicit vector that this device computes at once
    multiply_add: str = "fma"  #: fastest form of a*b+c: "fma", "mad" or "plain"
    max_work_group_size: int = 256
    max_work_item_sizes: tuple[int, ...] = (256, 256, 256)
    local_memory: int = 32768
    address_align: int = 128  #: alignment that sub-buffers need
    global_memory: int = 1 << 30
    max_allocation: int = 1 << 28
    fp16: bool = False  #: computes in half (cl_khr_fp16); storing halves needs nothing
    fp64: bool = False
    images: bool = False
    unified_memory: bool = True
    blas: bool = False  #: CLBlast can be called

    @property
    def is_cpu(self) -> bool:
        """CPU-like: one work-item per work-group with explicit vectors is the best shape."""
        return self.kind == "cpu"
