"""When an op may offer CLBlast."""

from __future__ import annotations

from clnet.device_info import DeviceInfo

#: Work-group size that CLBlast's untuned kernels need.
WORK_GROUP = 256


def blas_usable(dtype: str, device: DeviceInfo) -> bool:
    """Whether CLBlast can compute in ``dtype`` on this device."""
    fits = device.blas and device.max_work_group_size >= WORK_GROUP
    return fits and (dtype == "float32" or (dtype == "float16" and device.fp16))
