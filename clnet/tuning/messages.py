"""What `measure.py` asks of `worker.py`, the process that may die."""

from __future__ import annotations

from dataclasses import dataclass

from clnet.calls import Workload
from clnet.runtime.blas import Override
from clnet.tuning.space import Point


@dataclass(frozen=True)
class Open:
    """Take up a workload; the first point is the default, whose output all others must equal.
    CLBlast computes under ``overrides``."""

    device: int
    workload: Workload
    default: Point
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True)
class Try:
    """Build, check and time one point; no longer than needed where it is slower than ``hopeless``
    seconds."""

    point: Point
    hopeless: float


@dataclass(frozen=True)
class Race:
    """Time points in turn, round by round."""

    points: tuple[Point, ...]
    rounds: int


@dataclass(frozen=True)
class Failure:
    """Why a request could not be fulfilled."""

    reason: str
