"""Properties that every arena plan has, whatever the blocks."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations

import pytest

from clnet.memory.arena import ArenaPlan, Block, lower_bound, plan_arena, plan_slots

Planner = Callable[[list[Block], int], ArenaPlan]


def check(blocks: list[Block], align: int, planner: Planner = plan_arena) -> float:
    """Fail where a plan is wrong; the arena's size relative to the lower bound."""
    plan = planner(blocks, align)
    for i, j in combinations(range(len(blocks)), 2):
        if blocks[i].meets(blocks[j]):
            a, b = plan.offsets[i], plan.offsets[j]
            assert a + blocks[i].nbytes <= b or b + blocks[j].nbytes <= a, (blocks[i], blocks[j])
    for block, offset in zip(blocks, plan.offsets, strict=True):
        assert offset % align == 0
        assert offset >= 0 and offset + block.nbytes <= plan.nbytes
    assert plan.nbytes >= plan.lower_bound == brute_force_bound(blocks, align)
    return plan.nbytes / max(1, plan.lower_bound)


def brute_force_bound(blocks: list[Block], align: int) -> int:
    """The most bytes alive at once, counted at every point in time."""
    times = range(max((b.last for b in blocks), default=0) + 1)
    alive = ([-(-b.nbytes // align) * align for b in blocks if b.first <= t <= b.last]
             for t in times)  # fmt: skip
    return max((sum(sizes) for sizes in alive), default=0)


def random_blocks(chance: random.Random) -> list[Block]:
    count, calls = chance.randrange(1, 60), chance.randrange(1, 40)
    blocks = []
    for _ in range(count):
        first = chance.randrange(calls)
        last = min(calls - 1, first + int(chance.expovariate(0.3)))
        blocks.append(Block(chance.choice([1, 100, 4096, chance.randrange(1, 10**6)]), first, last))
    return blocks


@pytest.mark.parametrize("planner", [plan_arena, plan_slots])
@pytest.mark.parametrize("seed", range(60))
def test_random_lifetimes(seed: int, planner: Planner) -> None:
    chance = random.Random(seed)
    check(random_blocks(chance), chance.choice([1, 16, 128, 512, 4096]), planner)


@pytest.mark.parametrize("seed", range(60))
def test_slots_are_the_same_or_apart(seed: int) -> None:
    """Whether alive together or not: that is what they are for."""
    blocks = random_blocks(random.Random(seed))
    plan = plan_slots(blocks, 64)
    for i, j in combinations(range(len(blocks)), 2):
        a, b = plan.offsets[i], plan.offsets[j]
        assert a == b or a + blocks[i].nbytes <= b or b + blocks[j].nbytes <= a


@pytest.mark.parametrize("seed", range(30))
def test_networks_with_skips_come_close_to_the_bound(seed: int) -> None:
    """Tensors in call order, most read by the next call, some by one much later."""
    chance = random.Random(seed)
    blocks = []
    for call in range(chance.randrange(20, 150)):
        skip = chance.randrange(2, 12) if chance.random() < 0.25 else 1
        size = chance.choice([1, 2, 3, 4, 6, 8, 16, 24, 32]) * 12544 * 4
        blocks.append(Block(size, call, call + skip))
    assert check(blocks, 128) <= 1.10


@pytest.mark.parametrize("depth", [3, 5, 8])
def test_an_hourglass_needs_no_more_than_the_bound(depth: int) -> None:
    """U-Net: every tensor on the way down is read again on the way up."""
    down = [Block(1 << (20 - d), d, 2 * depth - d) for d in range(depth)]
    inner = [Block(1 << (20 - d), d, d + 1) for d in range(depth)]
    up = [Block(1 << (20 - d), 2 * depth - d, 2 * depth - d + 1) for d in range(depth)]
    assert check(down + inner + up, 128) == 1.0


def test_a_chain_needs_its_two_largest_neighbours() -> None:
    sizes = [100, 300, 200, 500, 100, 400]
    plan = plan_arena([Block(s, i, i + 1) for i, s in enumerate(sizes)], 100)
    assert plan.nbytes == plan.lower_bound == 700


@pytest.mark.parametrize("planner", [plan_arena, plan_slots])
def test_nothing_needs_nothing(planner: Planner) -> None:
    plan = planner([], 128)
    assert (plan.offsets, plan.nbytes, plan.lower_bound) == ((), 0, 0)


def test_a_plan_is_always_the_same() -> None:
    blocks = [Block(random.Random(i).randrange(1, 9999), i // 3, i // 2) for i in range(80)]
    assert plan_arena(blocks, 64) == plan_arena(blocks, 64)


def test_the_bound_counts_both_ends_of_a_lifetime() -> None:
    assert lower_bound([Block(10, 0, 3), Block(5, 3, 4)]) == 15
    assert lower_bound([Block(10, 0, 2), Block(5, 3, 4)]) == 10
