"""Joins small launches into one, for CPUs.

A launch and the boundary behind it cost a CPU's driver about ten microseconds: its threads must
wake, share the work and meet again. What takes less is better done by a single work-item in one go,
the next right behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from clnet.calls import Chain, KernelCall
from clnet.runtime.executable import BoundCall, Region

#: Longer chains compile for seconds; more arguments are beyond what OpenCL promises.
MAX_PARTS, MAX_OPERANDS = 48, 100


def chained(calls: Sequence[BoundCall], small: Sequence[bool]) -> list[BoundCall]:
    """The calls with neighbours that are ``small`` joined."""
    result: list[BoundCall] = []
    waiting: list[BoundCall] = []

    def flush() -> None:
        result.extend([_join(waiting)] if len(waiting) > 1 else waiting)
        waiting.clear()

    for bound, is_small in zip(calls, small, strict=True):
        if not (is_small and _is_plain(bound)):
            flush()
            result.append(bound)
            continue
        if len(waiting) == MAX_PARTS or len(_regions([*waiting, bound])) > MAX_OPERANDS:
            flush()
        waiting.append(bound)
    flush()
    return result


def _is_plain(bound: BoundCall) -> bool:
    """Whether it is a kernel whose work-items know nothing of each other."""
    call = bound.call
    return isinstance(call, KernelCall) and set(call.local_size or (1,)) == {1}


def _regions(calls: Sequence[BoundCall]) -> dict[Region, int]:
    """Every tensor that the calls are applied to, numbered."""
    unique = dict.fromkeys(region for bound in calls for region in bound.operands)
    return {region: number for number, region in enumerate(unique)}


def _join(calls: Sequence[BoundCall]) -> BoundCall:
    numbers = _regions(calls)
    parts = [b.call for b in calls if isinstance(b.call, KernelCall)]
    operands = [tuple(numbers[region] for region in bound.operands) for bound in calls]
    return BoundCall(Chain.of(parts, operands, len(numbers)), tuple(numbers))
