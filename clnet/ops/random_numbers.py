"""RandomNumbers: others at every run. Drawn on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Case, Op, register
from clnet.tensor_spec import FLOATS, TensorSpec

DISTRIBUTIONS = ("uniform", "normal")


@register
@dataclass(frozen=True)
class RandomNumbers(Op):
    """Uniform from ``a`` to ``b``, or normal around ``a`` with the deviation ``b``, by
    ``distribution``. With a ``seed``, every session draws the same numbers in its first run, and
    so on."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    distribution: str = "uniform"
    a: float = 0.0
    b: float = 1.0
    seed: int | None = None

    foldable: ClassVar[bool] = False

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        if self.dtype not in FLOATS or self.distribution not in DISTRIBUTIONS:
            raise ShapeError(f"{self.distribution} numbers of {self.dtype}")
        return (TensorSpec(self.shape, self.dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return self._drawn(np.random.default_rng(self.seed))

    def _drawn(self, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        draw = generator.uniform if self.distribution == "uniform" else generator.normal
        return (np.asarray(draw(self.a, self.b, self.shape)).astype(self.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        generator = np.random.default_rng(self.seed)
        call = HostCall(lambda: self._drawn(generator), (), (Out(),))
        return [Candidate("host", (call,))]

    def in_half(self) -> Op:
        return replace(self, dtype="float16") if self.dtype == "float32" else self

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for name in DISTRIBUTIONS:
            yield Case(cls((3, 5), "float32", name, -1.0, 2.0, 7), ())
