"""GridSample written out in ops that have gradients."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import numpy as np

from clnet.graph import GraphBuilder, Value
from clnet.ops.cast import Cast
from clnet.ops.elementwise import calculate
from clnet.ops.expand import Expand
from clnet.ops.gather_elements import GatherElements
from clnet.ops.lowering import strides_of
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice


def expanded(build: GraphBuilder, op: Any, x: Value, places: Value, far: float) -> Value:
    """What the GridSample ``op`` computes: each element of the result is a weighted sum of
    elements that a GatherElements takes. Places beyond ``far`` are as good as there."""
    count, channels, *sizes = x.spec.shape
    *_, axes = places.spec.shape
    positions = math.prod(places.spec.shape[1:-1])
    rows = build.add(Reshape((count, channels, math.prod(sizes))), x)
    axis = _Axis(build, op, x.spec.dtype, far)
    taps = []
    for d, size in enumerate(sizes):
        own = build.add(Slice((axes - 1 - d,), (axes - d,), (places.spec.rank - 1,)), places)
        taps.append(axis.taps(build.add(Reshape((count, 1, positions)), own), size))
    total: Any = None
    for chosen in itertools.product(*taps):
        index: Any = None
        weight: Any = None
        for (number, share), stride in zip(chosen, strides_of(tuple(sizes)), strict=True):
            steps = calculate(build, "Mul", number, build.constant(np.int32(stride)))
            index = steps if index is None else calculate(build, "Add", index, steps)
            weight = share if weight is None else calculate(build, "Mul", weight, share)
        everywhere = build.add(Expand((count, channels, positions)), index)
        part = calculate(build, "Mul", build.add(GatherElements(2), rows, everywhere), weight)
        total = part if total is None else calculate(build, "Add", total, part)
    result: Value = build.add(Reshape((count, channels, *places.spec.shape[1:-1])), total)
    return result


class _Axis:
    """Which elements along an axis a coordinate is made of; see GridSample's reference."""

    def __init__(self, build: GraphBuilder, op: Any, dtype: str, far: float) -> None:
        self.build, self.op, self.dtype, self.far = build, op, dtype, far
        self.apply = partial(calculate, build)

    def taps(self, place: Any, size: int) -> list[tuple[Value, Value]]:
        """Index (int32) and weight of each element."""
        apply, op = self.apply, self.op
        low, high = (0.0, size - 1.0) if op.align_corners else (-0.5, size - 0.5)
        if not op.pixels:
            half = (high - low) / 2
            place = apply("Shift", apply("Scale", place, factor=half), offset=low + half)
        place = apply("Where", apply("IsNaN", place), self._number(-self.far), place)
        place = apply("Clip", place, min=-self.far, max=self.far)
        if op.mode == "nearest":
            place = self._held(apply("Round", place))
        if op.padding == "border" and op.mode != "cubic":
            place = apply("Clip", place, min=0.0, max=size - 1.0)
        elif op.padding == "reflection":
            place = self._reflected(place, low, high)
        base = self._held(apply("Floor", place))
        found = []
        for tap, weight in enumerate(self._weights(apply("Sub", place, base))):
            index = apply("Shift", base, offset=float(tap - (op.mode == "cubic")))
            if op.padding == "reflection":
                index = self._reflected(index, low, high)
            if op.padding == "zeros":
                inside = apply("GreaterOrEqual", index, self._number(0.0))
                inside = apply("And", inside, apply("Less", index, self._number(size)))
                weight = apply("Where", inside, weight, self._number(0.0))
            index = apply("Clip", index, min=0.0, max=size - 1.0)
            found.append((self.build.add(Cast("int32"), index), weight))
        return found

    def _weights(self, t: Any) -> list[Any]:
        """The weights of the elements around a place, ``t`` behind the element before it."""
        apply = self.apply
        if self.op.mode == "nearest":
            return [self._number(1.0)]
        rest = apply("Shift", apply("Neg", t), offset=1.0)
        if self.op.mode == "linear":
            return [rest, t]
        a = -0.75

        def polynomial(x: Any, *factors: float) -> Any:
            """By Horner's rule, the highest power first."""
            value = apply("Shift", apply("Scale", x, factor=factors[0]), offset=factors[1])
            for factor in factors[2:]:
                value = apply("Shift", apply("Mul", value, x), offset=factor)
            return value

        near, far = (a + 2, -(a + 3), 0.0, 1.0), (a, -5 * a, 8 * a, -4 * a)
        distances = (apply("Shift", t, offset=1.0), t, rest, apply("Shift", rest, offset=1.0))
        return [polynomial(x, *f) for x, f in zip(distances, (far, near, near, far), strict=True)]

    def _reflected(self, place: Any, low: float, high: float) -> Any:
        """Places mirrored at ``low`` and ``high`` until they are between them."""
        apply, span = self.apply, high - low
        if span <= 0:
            return apply("Shift", apply("Scale", place, factor=0.0), offset=low)
        distance = apply("Abs", apply("Shift", place, offset=-low))
        times = self._held(apply("Floor", apply("Div", distance, self._number(span))))
        rest = apply("Sub", distance, apply("Scale", times, factor=span))
        even = apply("Equal", apply("Mod", times, self._number(2.0)), self._number(0.0))
        back = apply("Shift", apply("Neg", rest), offset=high)
        return apply("Where", even, apply("Shift", rest, offset=low), back)

    def _held(self, whole: Any) -> Any:
        """A whole number that steps: no gradient goes through integers."""
        return self.build.add(Cast(self.dtype), self.build.add(Cast("int32"), whole))

    def _number(self, value: float) -> Value:
        return self.build.constant(np.asarray(value, self.dtype))
