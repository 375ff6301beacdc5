"""Which tensors may live inside another's memory."""

from __future__ import annotations

import pytest

from clnet.memory.placement import Kind, Placements, Tensor

ALIGN = 64


def placements(**tensors: tuple[int, Kind]) -> Placements:
    return Placements({name: Tensor(*t) for name, t in tensors.items()}, ALIGN)


def test_scratch_is_placed_at_an_aligned_offset() -> None:
    memory = placements(part=(64, "scratch"), whole=(256, "scratch"))
    assert memory.place("part", "whole", 128)
    assert memory.locate("part") == ("whole", 128)


def test_an_offset_that_the_device_cannot_address_is_refused() -> None:
    memory = placements(part=(64, "scratch"), whole=(256, "scratch"))
    assert not memory.place("part", "whole", 100)
    assert memory.locate("part") == ("part", 0)


def test_offsets_add_up_along_a_chain() -> None:
    memory = placements(a=(64, "scratch"), b=(128, "scratch"), c=(512, "scratch"))
    assert memory.place("b", "c", 256)
    assert memory.place("a", "b", 64)
    assert memory.locate("a") == ("c", 320)


def test_a_tensor_has_one_place() -> None:
    memory = placements(a=(64, "scratch"), b=(128, "scratch"), c=(128, "scratch"))
    assert memory.place("a", "b", 0)
    assert not memory.place("a", "c", 0)


def test_no_tensor_lives_inside_itself() -> None:
    memory = placements(a=(64, "scratch"), b=(64, "scratch"))
    assert memory.place("a", "b", 0)
    assert not memory.place("b", "a", 0)
    assert memory.locate("b") == ("b", 0)


@pytest.mark.parametrize("kind", ["input", "constant", "state"])
def test_what_owns_its_memory_stays_there(kind: Kind) -> None:
    memory = placements(owner=(64, kind), other=(64, "scratch"))
    assert not memory.place("owner", "other", 0)


@pytest.mark.parametrize("kind", ["input", "constant", "state"])
def test_a_view_may_read_memory_that_another_owns(kind: Kind) -> None:
    memory = placements(view=(64, "scratch"), owner=(128, kind))
    assert memory.place("view", "owner", 64)


def test_the_tensor_that_an_output_views_moves_into_the_output() -> None:
    memory = placements(x=(64, "scratch"), y=(64, "output"))
    assert memory.place("y", "x", 0)
    assert memory.locate("x") == ("y", 0)
    assert memory.locate("y") == ("y", 0)


def test_an_output_is_not_a_part_of_another_tensor() -> None:
    memory = placements(x=(128, "scratch"), y=(64, "output"), z=(64, "output"))
    assert not memory.place("y", "x", 64)
    assert not memory.place("y", "z", 0)


def test_two_outputs_of_one_tensor_are_two_memories() -> None:
    memory = placements(x=(64, "scratch"), y=(64, "output"), z=(64, "output"))
    assert memory.place("y", "x", 0)
    assert not memory.place("z", "x", 0)


def test_an_empty_tensor_is_not_placed() -> None:
    memory = placements(a=(0, "scratch"), b=(64, "scratch"))
    assert not memory.place("a", "b", 0)
