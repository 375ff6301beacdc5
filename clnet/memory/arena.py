"""Memory for all intermediate tensors from their lifetimes: one arena, or slots.

Finding the smallest arena is bin packing with intervals (NP-hard). Greedy placement in several
orders, as in Pisarchyk & Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020),
meets the lower bound on most networks; a short random search over orders closes most of the rest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_SEARCH_WORK = 3_000_000  # block comparisons spent on improving an order: well under a second


@dataclass(frozen=True)
class Block:
    """Memory needed from call ``first`` to call ``last``, both included."""

    nbytes: int
    first: int
    last: int

    def meets(self, other: Block) -> bool:
        """Whether both are alive at once."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class ArenaPlan:
    """An offset per block, the bytes in all, and the most bytes alive at once."""

    offsets: tuple[int, ...]
    nbytes: int
    lower_bound: int


def plan_arena(blocks: Sequence[Block], align: int) -> ArenaPlan:
    """Offsets, multiples of ``align``, such that blocks alive together never overlap.

    Sizes are rounded up to ``align`` throughout, in the lower bound too.
    """
    blocks = [Block(-(-b.nbytes // align) * align, b.first, b.last) for b in blocks]
    bound = lower_bound(blocks)
    by_size = sorted(range(len(blocks)), key=lambda i: (-blocks[i].nbytes, blocks[i].first))
    by_start = sorted(range(len(blocks)), key=lambda i: (blocks[i].first, -blocks[i].nbytes))
    by_span = sorted(by_size, key=lambda i: blocks[i].first - blocks[i].last)
    best, best_order = min(((_assign(blocks, o), o) for o in (by_size, by_start, by_span)),
                           key=lambda pair: pair[0][1])  # fmt: skip
    chance = random.Random(0)
    work = len(blocks) ** 2 or 1
    for _ in range(min(2000, _SEARCH_WORK // work)):
        if best[1] <= bound:
            break
        order = list(best_order)
        if chance.random() < 0.5:  # a block that reaches the top is placed earlier
            tops = (i for i, b in enumerate(order) if best[0][b] + blocks[b].nbytes == best[1])
            source = chance.choice(list(tops))
            target = chance.randrange(source + 1)
        else:
            source, target = chance.randrange(len(order)), chance.randrange(len(order))
        order.insert(target, order.pop(source))
        trial = _assign(blocks, order)
        if trial[1] <= best[1]:
            best, best_order = trial, order
    return ArenaPlan(tuple(best[0]), best[1], bound)


def plan_slots(blocks: Sequence[Block], align: int) -> ArenaPlan:
    """As :func:`plan_arena`, but blocks overlap only where their offsets are the same.

    Takes more than an arena. By falling size, each block goes to the smallest slot that is free for
    its life: greedy by size for shared objects, in the paper named above.
    """
    blocks = [Block(-(-b.nbytes // align) * align, b.first, b.last) for b in blocks]
    slots: list[list[Block]] = []  # the first block of a slot is its largest
    chosen: dict[int, int] = {}
    for index in sorted(range(len(blocks)), key=lambda i: -blocks[i].nbytes):
        free = [i for i, slot in enumerate(slots) if not any(map(blocks[index].meets, slot))]
        if not free:
            slots.append([])
        chosen[index] = free[-1] if free else len(slots) - 1
        slots[chosen[index]].append(blocks[index])
    ends = list(accumulate((slot[0].nbytes for slot in slots), initial=0))
    offsets = tuple(ends[chosen[i]] for i in range(len(blocks)))
    return ArenaPlan(offsets, ends[-1], lower_bound(blocks))


def lower_bound(blocks: Sequence[Block]) -> int:
    """The most bytes alive at once."""
    changes: dict[int, int] = {}
    for block in blocks:
        changes[block.first] = changes.get(block.first, 0) + block.nbytes
        changes[block.last + 1] = changes.get(block.last + 1, 0) - block.nbytes
    alive = most = 0
    for time in sorted(changes):
        alive += changes[time]
        most = max(most, alive)
    return most


def _assign(blocks: Sequence[Block], order: Sequence[int]) -> tuple[list[int], int]:
    """Place blocks in ``order``, each into the tightest gap between those alive beside it."""
    offsets = [0] * len(blocks)
    placed: list[tuple[int, int]] = []  # (offset, block) sorted by offset
    total = 0
    for index in order:
        block = blocks[index]
        best = end = 0
        best_gap = None
        for offset, other in placed:
            if not block.meets(blocks[other]):
                continue
            gap = offset - end
            if gap >= block.nbytes and (best_gap is None or gap < best_gap):
                best, best_gap = end, gap
            end = max(end, offset + blocks[other].nbytes)
        position = best if best_gap is not None else end
        offsets[index] = position
        placed.append((position, index))
        placed.sort()
        total = max(total, position + block.nbytes)
    return offsets, total
