"""What is known of a tensor without its values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from clnet.errors import ShapeError

#: dtypes a tensor may have, by NumPy name.
DTYPES = (
    "float32", "float16", "float64", "bool",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip
FLOATS = ("float32", "float16", "float64")
#: More bytes than any tensor here may have; refuses absurd shapes before they are allocated.
MAX_BYTES = 1 << 36


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype (a NumPy name out of :data:`DTYPES`) of a row-major tensor."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(d) for d in self.shape))
        if self.dtype not in DTYPES:
            raise ShapeError(f"dtype {self.dtype} is not supported")
        if any(d < 0 for d in self.shape):
            raise ShapeError(f"shape {list(self.shape)} has a negative dimension")
        if self.nbytes > MAX_BYTES:
            raise ShapeError(f"shape {list(self.shape)} is larger than {MAX_BYTES >> 30} GiB")

    @classmethod
    def of(cls, array: np.ndarray) -> TensorSpec:
        """The spec of an existing array."""
        return cls(array.shape, array.dtype.name)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.size * self.itemsize

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype in FLOATS

    def with_shape(self, shape: tuple[int, ...]) -> TensorSpec:
        """The same dtype in another shape."""
        return replace(self, shape=tuple(shape))

    def with_dtype(self, dtype: str) -> TensorSpec:
        """The same shape in another dtype."""
        return replace(self, dtype=dtype)

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"
