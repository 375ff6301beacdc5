"""What an op may know of a device when it lowers itself: plain data, no OpenCL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from clnet.tensor_spec import TensorSpec


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

    @property
    def channel_block(self) -> int | None:
        """Channels of a block where tensors lie in blocks of channels: a vector's, on CPUs."""
        return max(4, self.vector_width) if self.is_cpu else None

    def beside(self, specs: Iterable[TensorSpec | None]) -> DeviceInfo:
        """The device as operands of these specs see it: a double takes the room of two floats in a
        vector. PoCL 3.0's compiler aborts on vectors wider than the processor's."""
        if all(s is None or s.dtype != "float64" for s in specs):
            return self
        return replace(self, vector_width=max(1, self.vector_width // 2))
