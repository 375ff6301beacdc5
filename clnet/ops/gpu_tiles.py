"""The register tiles that an untuned GPU begins with, by family: data, out of boards/kernels.md."""

from __future__ import annotations

from dataclasses import dataclass

from clnet.device_info import DeviceInfo


@dataclass(frozen=True)
class GpuTiles:
    """What a work-item computes: so many output channels, or rows of a product, by four pixels or
    columns. ``padded``: direct convolutions read a copy of their input with its padding around it,
    where that is used often enough."""

    direct: int = 4
    pointwise: int = 4
    gemm: int = 4
    padded: bool = False


#: Parts of a family's device names; its tiles for float, and for half. The largest that spill no
#: register. GPUs that are not listed keep the fours that were measured on an H200.
FAMILIES: tuple[tuple[tuple[str, ...], GpuTiles, GpuTiles], ...] = (
    (("Mali",), GpuTiles(8, 8, 8, padded=True), GpuTiles(4, 4, 4, padded=True)),
    (("Adreno", "FD"), GpuTiles(4, 8, 8, padded=True), GpuTiles(4, 8, 8, padded=True)),
    (("Intel",), GpuTiles(4, 4, 4, padded=True), GpuTiles(4, 4, 4, padded=True)),
    (("V3D",), GpuTiles(4, 4, 4, padded=True), GpuTiles(4, 4, 4, padded=True)),
)


def gpu_tiles(device: DeviceInfo, dtype: str) -> GpuTiles:
    """The family's tiles for tensors of a dtype."""
    if not device.is_cpu:
        for names, in_float, in_half in FAMILIES:
            if any(name in device.name for name in names):
                return in_half if dtype == "float16" and device.fp16 else in_float
    return GpuTiles()
