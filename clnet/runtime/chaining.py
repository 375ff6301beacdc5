"""Joins neighbouring launches into one, for CPUs.

A launch and the boundary behind it cost a CPU's driver from ten microseconds on, more where idle
cores sleep: its threads must wake, share the work and meet again. What takes less is better done by
a single work-item in one go; the rest by a team of one per core that stays awake from part to part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from clnet.calls import Chain, KernelCall
from clnet.runtime.executable import BoundCall, Region

#: Longer chains compile for seconds; more arguments are beyond what OpenCL promises. Parts that are
#: shared are fewer: they are the large kernels, and several chains are compiled at once. PoCL 3.1's
#: LLVM crashed on a chain of 34 parts, 20 and more of them large, of which either half built.
MAX_PARTS, MAX_SHARED, MAX_OPERANDS = 48, 10, 100
#: Multiply-adds, or elements to move: with fewer in all parts, waking a second core costs more
#: than it saves, and with fewer in one, meeting it does.
SMALL, TINY = 1 << 18, 1 << 14
#: Shares of a part for every item of a team: few, but enough for the end of a part to be even, on
#: cores of different speed too.
SHARES = 4


def chained(
    calls: Sequence[BoundCall],
    efforts: Sequence[int],
    team: int = 1,
    new_turns: Callable[[int], Region] | None = None,
) -> list[BoundCall]:
    """The calls with neighbours joined: those that are small, or all by a ``team`` of several.

    ``efforts`` are the calls' multiply-adds, or elements to move. ``new_turns`` gives a team memory
    for so many integers, zeros.
    """
    result: list[BoundCall] = []
    waiting: list[tuple[BoundCall, int]] = []

    def flush() -> None:
        joined = [bound for bound, _ in waiting]
        if len(waiting) < 2:
            result.extend(joined)
        elif new_turns is None or all(effort <= SMALL for _, effort in waiting):
            result.append(_join(joined, [1] * len(joined)))
        else:
            shares = [1 if effort <= TINY else _shares(bound, team) for bound, effort in waiting]
            turns = new_turns((len(joined) + 1) * Chain.TURNS)
            result.append(_join(joined, shares, team, turns))
        waiting.clear()

    for bound, effort in zip(calls, efforts, strict=True):
        if not ((effort <= SMALL or team > 1) and _is_plain(bound)):
            flush()
            result.append(bound)
            continue
        full = len(waiting) == MAX_PARTS or sum(e > SMALL for _, e in waiting) == MAX_SHARED
        if full or len(_regions([b for b, _ in (*waiting, (bound, effort))])) > MAX_OPERANDS:
            flush()
        waiting.append((bound, effort))
    flush()
    return result


def _is_plain(bound: BoundCall) -> bool:
    """Whether it is a kernel whose work-items know nothing of each other."""
    call = bound.call
    return isinstance(call, KernelCall) and set(call.local_size or (1,)) == {1}


def _shares(bound: BoundCall, team: int) -> int:
    assert isinstance(bound.call, KernelCall)
    return min(math.prod(bound.call.global_size), SHARES * team)


def _regions(calls: Sequence[BoundCall]) -> dict[Region, int]:
    """Every tensor that the calls are applied to, numbered."""
    unique = dict.fromkeys(region for bound in calls for region in bound.operands)
    return {region: number for number, region in enumerate(unique)}


def _join(
    calls: Sequence[BoundCall], shares: Sequence[int], team: int = 1, turns: Region | None = None
) -> BoundCall:
    numbers = _regions(calls)
    parts = [b.call for b in calls if isinstance(b.call, KernelCall)]
    operands = [tuple(numbers[region] for region in bound.operands) for bound in calls]
    chain = Chain.of(parts, operands, len(numbers), shares, team)
    return BoundCall(chain, (*numbers, *([turns] if turns else [])))
