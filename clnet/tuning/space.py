"""The points that a tuner can choose for a workload: a candidate and a value for each parameter.

A candidate names its own parameters (tiles, items…). Two more hold for every kernel: MULADD, the
form of a*b+c (see common.h), and LOCAL, the work-group size of kernels that leave it to the driver,
as its width along the first dimension (0: the driver's choice).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clnet.calls import Call, Candidate, KernelCall, Values
from clnet.device_info import DeviceInfo

LOCAL, MULADD = "LOCAL", "MULADD"
#: Work-group widths that are tried on GPUs and on CPUs.
GPU_WIDTHS = (0, 4, 8, 16, 32, 64, 128, 256)
CPU_WIDTHS = (0, 16, 64)


@dataclass(frozen=True)
class Point:
    """A choice: a candidate by name, and its parameters in order of their names."""

    candidate: str
    values: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, candidate: str, values: Values) -> Point:
        """The point with these values."""
        return cls(candidate, tuple(sorted(values.items())))

    def changed(self, name: str, value: int) -> Point:
        """The point with one other value."""
        return Point.of(self.candidate, {**dict(self.values), name: value})

    def __str__(self) -> str:
        return " ".join([self.candidate, *(f"{k}={v}" for k, v in self.values)])


class Space:
    """All points of the candidates of one workload."""

    def __init__(self, candidates: Sequence[Candidate], info: DeviceInfo) -> None:
        self.info = info
        self.candidates = {c.name: c for c in candidates}
        self.options = {c.name: _options(c, info) for c in candidates}
        self.defaults = [
            Point.of(n, {k: v[0] for k, v in o.items()}) for n, o in self.options.items()
        ]

    @property
    def size(self) -> int:
        """Points, those included that turn out not to fit."""
        total = 0
        for options in self.options.values():
            count = 1
            for values in options.values():
                count *= len(values)
            total += count
        return total

    def points(self) -> Iterator[Point]:
        """Every point that makes a candidate."""
        for name, options in self.options.items():
            for values in itertools.product(*options.values()):
                point = Point.of(name, dict(zip(options, values, strict=True)))
                if self.candidate(point) is not None:
                    yield point

    def candidate(self, point: Point) -> Candidate | None:
        """The candidate at a point; None where there is no such point, or its values do not fit
        together. Points may come from a file: nothing about them is trusted."""
        options = self.options.get(point.candidate)
        values = dict(point.values)
        if options is None or options.keys() != values.keys():
            return None
        if any(v not in options[k] for k, v in values.items()):
            return None
        candidate = self.candidates[point.candidate]
        if candidate.space is not None:
            own = {k: values[k] for k in candidate.space.options}
            varied = candidate.space.vary(own)
            if varied is None:
                return None
            candidate = replace(varied, values=own, space=candidate.space)
        calls = tuple(_with_common(call, values) for call in candidate.calls)
        if any(call is None for call in calls):
            return None
        return replace(candidate, calls=tuple(c for c in calls if c is not None))


def _options(candidate: Candidate, info: DeviceInfo) -> dict[str, tuple[int, ...]]:
    options = dict(candidate.space.options) if candidate.space else {}
    kernels = [c for c in candidate.calls if isinstance(c, KernelCall)]
    forms = [int(v) for c in kernels for k, v in c.defines if k == MULADD]
    if forms:
        options[MULADD] = (forms[-1], *(f for f in (0, 1, 2) if f != forms[-1]))
    if any(c.local_size is None for c in kernels):
        widths = CPU_WIDTHS if info.is_cpu else GPU_WIDTHS
        options[LOCAL] = tuple(w for w in widths if any(_fits(c, w, info) for c in kernels))
    return options


def _fits(call: KernelCall, width: int, info: DeviceInfo) -> bool:
    if width == 0:
        return True
    limit = min(info.max_work_group_size, info.max_work_item_sizes[0])
    return call.local_size is None and width <= limit and call.global_size[0] % width == 0


def _with_common(call: Call, values: Values) -> Call | None:
    """The call in the point's form of multiply-add and work-group size, where these concern it."""
    if not isinstance(call, KernelCall):
        return call
    if MULADD in values:
        defines = tuple((k, values[MULADD] if k == MULADD else v) for k, v in call.defines)
        call = replace(call, defines=defines)
    width = values.get(LOCAL, 0)
    if width and call.local_size is None:
        if call.global_size[0] % width:
            return None
        call = replace(call, local_size=(width,) + (1,) * (len(call.global_size) - 1))
    return call
