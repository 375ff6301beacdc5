"""Problems that a BLAS routine is timed with, and those that it must solve to be trusted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clnet.calls import BlasCall, In, Out
from clnet.runtime.blas import OPERANDS

Routine = Literal["gemm", "gemv", "axpy", "scal"]


@dataclass(frozen=True)
class Problem:
    """A call of a routine. ``offset`` elements lie ahead of each operand, and ``gap`` between the
    rows of each matrix."""

    routine: Routine
    sizes: tuple[int, ...]
    a_transposed: bool = False
    b_transposed: bool = False
    alpha: float = 1.0
    beta: float = 0.0
    offset: int = 0
    gap: int = 0

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the operands as they are stored, without gaps; what is computed is the last."""
        if self.routine == "gemm":
            m, n, k = self.sizes
            a, b = ((k, m) if self.a_transposed else (m, k)), (k, n)
            return a, (b[::-1] if self.b_transposed else b), (m, n)
        if self.routine == "gemv":
            m, n = self.sizes
            return (m, n), ((m,) if self.a_transposed else (n,)), (n if self.a_transposed else m,)
        return (self.sizes,) * len(OPERANDS[self.routine])

    def call(self, dtype: str) -> BlasCall:
        """The call; the operands are the inputs 0, 1… and the output."""
        shapes = self.shapes
        params: list[tuple[str, float | int | bool]] = [("alpha", self.alpha)]
        if self.routine in ("gemm", "gemv"):
            params += [("beta", self.beta), ("a_transp", self.a_transposed)]
        if self.routine == "gemm":
            params.append(("b_transp", self.b_transposed))
        for (name, rank), shape in zip(OPERANDS[self.routine], shapes, strict=True):
            if rank == 2:
                params.append((f"{name}_ld", shape[1] + self.gap))
        operands = (*(In(i) for i in range(len(shapes) - 1)), Out())
        offsets = (self.offset,) * len(shapes)
        return BlasCall(self.routine, dtype, operands, self.sizes, offsets, tuple(params))

    def operands(self, rng: np.random.Generator, dtype: str) -> list[np.ndarray]:
        """Random contents of each operand's memory, the output's included."""
        return [rng.uniform(-1, 1, self._extent(s)).astype(dtype) for s in self.shapes]

    def solve(self, operands: list[np.ndarray]) -> np.ndarray:
        """What the output's memory must hold afterwards, by NumPy in double precision: around the
        result what it held before."""
        exact = [o.astype(np.float64) for o in operands]
        views = [self._view(o, s) for o, s in zip(exact, self.shapes, strict=True)]
        result = views[-1]
        if self.routine in ("gemm", "gemv"):
            a = views[0].T if self.a_transposed else views[0]
            b = views[1].T if self.b_transposed else views[1]
            result[...] = self.alpha * (a @ b) + self.beta * result
        elif self.routine == "axpy":
            result += self.alpha * views[0]
        else:
            result *= self.alpha
        return exact[-1].astype(operands[-1].dtype)

    def __str__(self) -> str:
        marks = "".join("T" if t else "N" for t in (self.a_transposed, self.b_transposed))
        sizes = "x".join(map(str, self.sizes))
        return f"{self.routine} {sizes} {marks} offset={self.offset} gap={self.gap}"

    def _extent(self, shape: tuple[int, ...]) -> int:
        rows, columns = shape if len(shape) == 2 else (1, shape[0])
        return self.offset + rows * (columns + (self.gap if len(shape) == 2 else 0))

    def _view(self, memory: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        memory = memory[self.offset :]
        return memory.reshape(shape[0], -1)[:, : shape[1]] if len(shape) == 2 else memory


#: Sizes around those of tiles, odd ones, and ones, for every transposition.
_GEMM = tuple(
    Problem("gemm", sizes, a, b, 1.5, beta, offset, gap)
    for a, b in itertools.product((False, True), repeat=2)
    for sizes, beta, offset, gap in (
        ((64, 128, 32), 0.0, 0, 0),
        ((33, 65, 17), 0.5, 0, 0),
        ((129, 96, 200), 1.0, 0, 8),
        ((1, 7, 130), 1.0, 5, 3),
    )
)
_GEMV = tuple(
    Problem("gemv", sizes, a, False, 1.5, beta, offset, gap)
    for a in (False, True)
    for sizes, beta, offset, gap in (
        ((256, 512), 0.0, 0, 0),
        ((256, 16), 1.0, 0, 0),
        ((16, 256), 0.5, 0, 0),
        ((128, 320), 0.5, 0, 8),
        ((257, 31), 1.0, 0, 0),
        ((1, 100), 1.0, 3, 2),
    )
)
_AXPY = tuple(
    Problem(routine, (n,), alpha=1.5, offset=offset)
    for routine in ("axpy", "scal")
    for n, offset in ((1, 0), (7, 0), (192, 0), (8192, 0), (65536, 0), (65600, 0), (5000, 3))
)  # fmt: skip

#: What must be right, by routine.
CHECKS: dict[str, tuple[Problem, ...]] = {"gemm": _GEMM, "gemv": _GEMV, "axpy": _AXPY}
