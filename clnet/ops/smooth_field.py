"""SmoothField: random displacements that vary slowly, as elastic distortion needs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Ref, Values, Work, Workload, tunable
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.ops.lowering import ceil_div, float_defines, grid
from clnet.ops.philox import philox
from clnet.ops.rows import width_options
from clnet.tensor_spec import TensorSpec

#: Further than this a Gaussian is taken to be zero, in standard deviations.
_REACH = 3.0


@register
@dataclass(frozen=True)
class SmoothField(Op):
    """field[K, 2, height, width]: uniform random numbers in [-1, 1), blurred by a Gaussian of
    standard deviation ``sigma`` pixels, times ``alpha``. Zeros stand around them.

    Input: keys uint32[K]; each key has a field of its own.

    Simard et al., "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis" (2003).
    """

    height: int
    width: int
    sigma: float
    alpha: float = 1.0

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        keys = present(inputs[0], "keys")
        if keys.rank != 1 or keys.dtype != "uint32":
            raise ShapeError(f"keys are {keys}, not uint32 [K]")
        if min(self.height, self.width) < 1 or not 0 < self.sigma < 1000:
            raise ShapeError(f"a field {self.height}x{self.width} with sigma {self.sigma}")
        return (TensorSpec((keys.size, 2, self.height, self.width), "float32"),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (keys,) = inputs
        assert keys is not None
        counter = np.zeros((len(keys), self.height * self.width, 2), np.uint32)
        counter[:, :, 0] = np.arange(self.height * self.width)
        words = philox(counter, keys[:, None])
        signed = (words ^ np.uint32(1 << 31)).view(np.int32) / 2.0**31
        field = signed.transpose(0, 2, 1).reshape(len(keys), 2, self.height, self.width)
        for axis in (2, 3):
            field = np.apply_along_axis(self._blurred, axis, field)
        return ((self.alpha * field).astype(np.float32),)

    def _blurred(self, line: np.ndarray) -> np.ndarray:
        reach = len(self.weights) // 2
        return np.convolve(line, self.weights)[reach : reach + len(line)]

    @property
    def weights(self) -> np.ndarray:
        """The Gaussian, of sum 1, at whole distances."""
        reach = max(1, round(_REACH * self.sigma))
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.sigma) ** 2)
        return np.asarray(weights / weights.sum())

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        planes, radius = 2 * workload.output.shape[0], len(self.weights) // 2

        def make(values: Values) -> Candidate:
            width = values["VW"]
            parts = ceil_div(self.width, width)
            defines = (
                *float_defines("float32", device),
                ("VW", width),
                ("PLANES", planes),
                ("HEIGHT", self.height),
                ("WIDTH", self.width),
                ("RADIUS", radius),
                ("WEIGHTS", "{" + ",".join(f"{w:.9g}f" for w in self.weights) + "}"),
                ("ALPHA", f"{float(self.alpha)!r}f"),
            )
            rows, vectors = grid(planes // 2 * self.height), grid(planes * self.height * parts)

            def call(stage: str, source: Ref, result: Ref, size: tuple[int, ...]) -> KernelCall:
                name = f"smooth_field_{stage}"
                return KernelCall("smooth_field", name, (source, result), size, None, defines)

            calls = (
                call("random", In(0), Work(0), rows),
                call("rows", Work(0), Work(1), vectors),
                call("columns", Work(1), Out(), vectors),
            )
            row = 4 * planes * self.height
            workspace = row * (parts * width + 2 * radius), row * parts * width
            return Candidate("separable", calls, workspace)

        found = tunable(make, {"VW": width_options(self.width, device)})
        assert found is not None
        return [found]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        keys = Arg((3,), "uint32", values=[0, 7, (1 << 32) - 1])
        yield Case(cls(28, 28, 4.0, 34.0), (keys,))
        yield Case(cls(5, 41, 1.5), (keys,))
        yield Case(cls(1, 3, 8.0), (keys,))
