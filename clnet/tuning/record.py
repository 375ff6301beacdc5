"""What a tuning found, as a line of JSON: nothing in it is trusted when it is read."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from clnet.calls import Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ClnetError
from clnet.tuning.space import Point

#: Longer lines are not ours.
MAX_LINE = 1 << 16


@dataclass(frozen=True)
class DeviceKey:
    """What must be the same for a record to hold: times and driver's faults depend on all of it."""

    name: str
    platform: str
    driver: str
    compute_units: int

    @classmethod
    def of(cls, info: DeviceInfo) -> DeviceKey:
        """The key of a device."""
        return cls(info.name, info.platform, info.driver, info.compute_units)

    def is_like(self, other: DeviceKey) -> bool:
        """Whether another driver's version of the same device is meant."""
        return (self.name, self.platform) == (other.name, other.platform)


@dataclass(frozen=True)
class WorkloadKey:
    """A workload as text and numbers: ``attributes`` and ``shapes`` tell how near two are."""

    op: str
    attributes: str
    dtypes: tuple[str, ...]  #: of inputs, then outputs; "" where absent, "*" ahead of a constant
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, workload: Workload) -> WorkloadKey:
        """The key of a workload."""
        specs = (*workload.inputs, *workload.outputs)
        marks = (*("*" * c for c in workload.constant), *("" for _ in workload.outputs))
        return cls(
            getattr(workload.op, "record_name", type(workload.op).__name__),
            str(workload.op),
            tuple("" if s is None else m + s.dtype for s, m in zip(specs, marks, strict=True)),
            tuple(() if s is None else s.shape for s in specs),
        )

    def distance(self, other: WorkloadKey) -> float:
        """How far apart two workloads are: doublings of sizes, and a lot for other attributes;
        infinite where they cannot be compared."""
        if (self.op, self.dtypes) != (other.op, other.dtypes):
            return math.inf
        total = 0.0 if self.attributes == other.attributes else 4.0
        for mine, theirs in zip(self.shapes, other.shapes, strict=True):
            if len(mine) != len(theirs):
                return math.inf
            for a, b in zip(mine, theirs, strict=True):
                total += abs(math.log2(max(a, 1) / max(b, 1)))
        return total


@dataclass(frozen=True)
class TuningRecord:
    """The best point of a workload on a device. ``seconds`` per run and their ``spread`` (median
    absolute deviation), beside ``default_seconds`` of the untuned default."""

    workload: WorkloadKey
    device: DeviceKey
    source: str  #: digest of the kernels' sources
    point: Point
    seconds: float
    spread: float
    default_seconds: float
    date: str
    version: str

    @property
    def has_gain(self) -> bool:
        """Whether anything was faster than the default."""
        return self.seconds < self.default_seconds

    def to_json(self) -> str:
        """One line."""
        fields = asdict(self)
        fields["point"] = {"candidate": self.point.candidate, "values": dict(self.point.values)}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> TuningRecord:
        """Raises RecordError where the line is not a record."""
        try:
            if len(line) > MAX_LINE:
                raise ValueError("the line is too long")
            fields = _typed(json.loads(line), dict)
            point = _typed(fields["point"], dict)
            values = {k: _typed(v, int) for k, v in _typed(point["values"], dict).items()}
            return cls(
                _workload(_typed(fields["workload"], dict)),
                _device(_typed(fields["device"], dict)),
                _typed(fields["source"], str),
                Point.of(_typed(point["candidate"], str), values),
                _seconds(fields["seconds"]),
                _seconds(fields["spread"]),
                _seconds(fields["default_seconds"]),
                _typed(fields["date"], str),
                _typed(fields["version"], str),
            )
        except (ValueError, KeyError, RecursionError) as error:
            raise RecordError(f"not a tuning record: {error}") from None


class RecordError(ClnetError):
    """A line that is not a tuning record."""


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{kind.__name__} expected, {type(value).__name__} found")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e6:
        raise ValueError("a time is no number of seconds")
    return float(value)


def _workload(fields: dict[str, Any]) -> WorkloadKey:
    shapes = [_typed(s, list) for s in _typed(fields["shapes"], list)]
    return WorkloadKey(
        _typed(fields["op"], str),
        _typed(fields["attributes"], str),
        tuple(_typed(d, str) for d in _typed(fields["dtypes"], list)),
        tuple(tuple(_typed(n, int) for n in s) for s in shapes),
    )


def _device(fields: dict[str, Any]) -> DeviceKey:
    return DeviceKey(
        _typed(fields["name"], str),
        _typed(fields["platform"], str),
        _typed(fields["driver"], str),
        _typed(fields["compute_units"], int),
    )
