"""The matrix product behind Gemm and MatMul: what its kernels and BLAS routines need to know."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clnet.calls import Define, In, Ref
from clnet.device_info import DeviceInfo
from clnet.ops.epilogue import epilogue_defines
from clnet.ops.expression import Expression
from clnet.ops.lowering import index_text, strides_of
from clnet.tensor_spec import TensorSpec


@dataclass(frozen=True)
class Product:
    """y[z, m, n] = epilogue(alpha * sum of a[z, m, k] * b[z, k, n] + beta * c[m, n]).

    a is input 0, stored [k, m] where ``trans_a``; b is input 1, stored [n, k] where ``trans_b``; c
    is input 2 unless None. ``a_batch`` and ``b_batch`` broadcast to ``batch``.
    """

    m: int
    n: int
    k: int
    output: TensorSpec
    trans_a: bool = False
    trans_b: bool = False
    alpha: float = 1.0
    beta: float = 1.0
    batch: tuple[int, ...] = ()
    a_batch: tuple[int, ...] = ()
    b_batch: tuple[int, ...] = ()
    c: TensorSpec | None = None
    b_constant: bool = False
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)
    first_extra: int = 2
    extras: tuple[TensorSpec, ...] = ()

    @property
    def count(self) -> int:
        """Number of products."""
        return math.prod(self.batch)

    @property
    def b_count(self) -> int:
        """Number of matrices in b."""
        return math.prod(self.b_batch)

    def matrix_text(self, batch: tuple[int, ...]) -> str:
        """OpenCL C: which matrix of an operand with dimensions ``batch`` product ``z`` takes."""
        padded = (1,) * (len(self.batch) - len(batch)) + batch
        strides = [0 if d == 1 else s for d, s in zip(padded, strides_of(padded), strict=True)]
        return f"({index_text(self.batch, strides, '(z)')})"

    def matrices(self, batch: tuple[int, ...]) -> list[int]:
        """The same as numbers, one for each product."""
        numbers = np.arange(math.prod(batch)).reshape(batch)
        return [int(i) for i in np.broadcast_to(numbers, self.batch).ravel()]

    @property
    def c_strides(self) -> tuple[int, int]:
        """Strides of c along m and n; 0 where it is broadcast."""
        assert self.c is not None
        rows, columns = (1, 1, *self.c.shape)[-2:]
        return (0 if rows == 1 else columns), (0 if columns == 1 else 1)

    def c_defines(self, along_m: str, along_n: str) -> tuple[Define, ...]:
        """HAS_C, and c's strides under the given names."""
        if self.c is None:
            return (("HAS_C", 0),)
        m, n = self.c_strides
        return (("HAS_C", 1), (along_m, m), (along_n, n))

    @property
    def c_refs(self) -> tuple[Ref, ...]:
        """Where c comes from: one reference or none."""
        return (In(2),) if self.c is not None else ()

    @property
    def extra_refs(self) -> tuple[Ref, ...]:
        """The epilogue's further operands."""
        return tuple(In(self.first_extra + i) for i in range(len(self.extras)))

    def epilogue_defines(self, device: DeviceInfo) -> tuple[Define, ...]:
        """The epilogue's macros, and LAST_AXIS, by which kernels know the channel."""
        last = self.output.shape[-1] if self.output.rank else 1
        macros = epilogue_defines(self.epilogue, self.extras, self.output, device, (-1,))
        return (("LAST_AXIS", last), *macros)
