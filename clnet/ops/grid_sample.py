"""GridSample: an image at computed places."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.grid_sample_expansion import expanded
from clnet.ops.lowering import ceil_div, float_defines, grid
from clnet.tensor_spec import TensorSpec

#: Elements along an axis that a result is made of.
TAPS = {"nearest": 1, "linear": 2, "cubic": 4}
PADDINGS = ("zeros", "border", "reflection")
#: Places beyond are as good as this far outside, and fit an integer.
_FAR = 1e6


@register
@dataclass(frozen=True)
class GridSample(Op):
    """x[N, C, ...], one to three spatial axes, and places[N, *out, axes] → y[N, C, *out].

    A place lists coordinates, the last axis's first: -1 to 1 from the first to the last element's
    outer edge, or its centre with ``align_corners``; or, in ``pixels``, elements. ``mode`` is a key
    of TAPS; cubic takes Keys' kernel with a = -0.75. ``padding`` (one of PADDINGS) is what lies
    around x, as PyTorch's grid_sample has it.
    """

    mode: str = "linear"
    padding: str = "zeros"
    align_corners: bool = False
    pixels: bool = False

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, places = present(inputs[0], "x", 3), present(inputs[1], "places", 3)
        one_float_dtype(x, places)
        axes = x.rank - 2
        if axes > 3 or places.shape[-1] != axes or places.shape[0] != x.shape[0] or not x.size:
            raise ShapeError(f"places {places} in {x}")
        if self.mode not in TAPS or self.padding not in PADDINGS:
            raise ShapeError(f"mode {self.mode} with padding {self.padding}")
        return (x.with_shape((*x.shape[:2], *places.shape[1:-1])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, places = inputs
        assert x is not None and places is not None
        count, channels = x.shape[:2]
        taps = [
            self._taps(places[..., -1 - d].astype(np.float64).reshape(count, -1), size)
            for d, size in enumerate(x.shape[2:])
        ]
        y = np.zeros((count, channels, math.prod(places.shape[1:-1])))
        for chosen in itertools.product(*taps):
            weight = np.prod([w for _, w in chosen], axis=0)
            for n in range(count):
                places_of_n = (slice(None), *(index[n] for index, _ in chosen))
                y[n] += weight[n] * x[n][places_of_n]
        return (y.reshape(count, channels, *places.shape[1:-1]).astype(x.dtype),)

    def _taps(self, place: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Index and weight of each element along an axis of ``size`` that a place is made of."""
        low, high = (0.0, size - 1.0) if self.align_corners else (-0.5, size - 0.5)
        if not self.pixels:
            place = (place + 1) / 2 * (high - low) + low
        place = np.clip(np.nan_to_num(place, nan=-_FAR), -_FAR, _FAR)
        if self.mode == "nearest":
            place = np.rint(place)
        if self.padding == "border" and self.mode != "cubic":
            place = np.clip(place, 0, size - 1)
        elif self.padding == "reflection":
            place = _reflected(place, low, high)
        base = np.floor(place)
        found = []
        for tap, weight in enumerate(_weights(place - base, self.mode)):
            index = base + tap - (self.mode == "cubic")
            if self.padding == "reflection":
                index = np.trunc(_reflected(index, low, high))
            if self.padding == "zeros":
                weight = weight * ((index >= 0) & (index < size))
            found.append((np.clip(index, 0, size - 1).astype(int), weight))
        return found

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, places = workload.input(0), workload.input(1)
        sizes = x.shape[2:]
        positions = math.prod(places.shape[1:-1])
        channels = x.shape[1] if device.is_cpu else min(x.shape[1], 4)
        defines = (
            *float_defines(x.dtype, device),
            ("AXES", len(sizes)),
            ("SIZES", ", ".join(map(str, sizes))),
            ("TAPS", TAPS[self.mode]),
            ("PADDING", PADDINGS.index(self.padding)),
            ("ALIGN", int(self.align_corners)),
            ("PIXELS", int(self.pixels)),
            ("CHANNELS", x.shape[1]),
            ("EACH", channels),
            ("POSITIONS", positions),
            ("SIZE", x.shape[0] * positions),
        )
        size = grid(x.shape[0] * positions, ceil_div(x.shape[1], channels))
        args = (In(0), In(1), Out())
        call = KernelCall("grid_sample", "grid_sample", args, size, None, defines)
        return [Candidate("grid_sample", (call,))]

    def expand(self, build: GraphBuilder, *inputs: Value | None) -> tuple[Value | None, ...]:
        x, places = inputs
        assert x is not None and places is not None
        return (expanded(build, self, x, places, _FAR),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        image, volume, line = Arg((2, 5, 6, 7)), Arg((2, 2, 3, 4, 5)), Arg((1, 3, 9))
        places = Arg((2, 9, 8, 2), low=-1.6, high=1.6)
        for i, mode in enumerate(TAPS):
            for j, padding in enumerate(PADDINGS):
                # Whoever is nearest says nothing of the place.
                moves = (0,) if mode == "nearest" else True
                op = cls(mode, padding, (i + j) % 2 == 1)
                yield Case(op, (image, places), 1e-4, differentiable=moves)
        places = Arg((2, 3, 3, 4, 3), low=-1.3, high=1.3)
        yield Case(cls("linear", "zeros"), (volume, places), 1e-4, differentiable=True)
        places = Arg((1, 11, 1), low=-1.3, high=1.3)
        yield Case(cls("cubic", "border"), (line, places), 1e-4, differentiable=True)
        wild = [[[[0, 0], [2.5, 1.25], [-1, 3], [1e30, 0], [float("nan"), 1]]]]
        yield Case(cls(pixels=True), (Arg((1, 2, 4, 5)), Arg((1, 1, 5, 2), values=wild)))


def _reflected(place: np.ndarray, low: float, high: float) -> np.ndarray:
    """Places mirrored at ``low`` and ``high`` until they are between them."""
    span = high - low
    if span <= 0:
        return np.full_like(place, low)
    distance = np.abs(place - low)
    times = np.floor(distance / span)
    rest = distance - times * span
    return np.where(times % 2 == 0, low + rest, high - rest)


def _weights(t: np.ndarray, mode: str) -> list[np.ndarray]:
    """The weights of the elements around a place, ``t`` behind the element before it."""
    if mode == "nearest":
        return [np.ones_like(t)]
    if mode == "linear":
        return [1 - t, t]
    a = -0.75

    def near(x: np.ndarray) -> np.ndarray:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: np.ndarray) -> np.ndarray:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(1 + t), near(t), near(1 - t), far(2 - t)]
