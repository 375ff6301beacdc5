"""Which ways to compute a matrix product are offered, and which comes first."""

from __future__ import annotations

from clnet.calls import Candidate
from clnet.device_info import DeviceInfo
from clnet.ops.gemm.blas import blas
from clnet.ops.gemm.kernels import tiled, vectors
from clnet.ops.gemm.product import Product


def candidates(p: Product, device: DeviceInfo) -> list[Candidate]:
    """All ways to compute the product, the untuned default first."""
    return [*vectors(p, device), *tiled(p, device), *blas(p, device)]
