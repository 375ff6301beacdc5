"""Matrix products: Gemm and MatMul, and the kernels and BLAS routines that compute them."""

from clnet.ops.gemm.gemm import Gemm
from clnet.ops.gemm.matmul import MatMul

__all__ = ["Gemm", "MatMul"]
