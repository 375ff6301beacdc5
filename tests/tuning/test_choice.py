"""Which records a session takes: its device's, of kernels as they are, the nearest if need be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clnet.calls import Workload
from clnet.device_info import DeviceInfo
from clnet.ops.conv import Conv
from clnet.tensor_spec import TensorSpec
from clnet.tuning.choice import RecordedChoice, source_digest
from clnet.tuning.record import DeviceKey, TuningRecord, WorkloadKey
from clnet.tuning.space import Point, Space

INFO = DeviceInfo(name="a cpu", platform="an OpenCL", driver="3.1", vector_width=8)


def workload(size: int = 28, channels: int = 32) -> Workload:
    op = Conv((1, 1), (1, 1, 1, 1), (1, 1))
    x, w = TensorSpec((1, channels, size, size)), TensorSpec((64, channels, 3, 3))
    return Workload(op, (x, w), op.infer(x, w), (False, True))


def chosen(choice: RecordedChoice, work: Workload) -> str:
    return choice(work, work.candidates(INFO)).name


def record(work: Workload, name: str = "direct", **changes: object) -> TuningRecord:
    """A record for a candidate that is not the default, at its default values."""
    space = Space(work.candidates(INFO), INFO)
    point = next(p for p in space.defaults if p.candidate == name)
    candidate = space.candidate(point)
    assert candidate is not None
    made = TuningRecord(
        WorkloadKey.of(work), DeviceKey.of(INFO), source_digest(candidate), point,
        1e-3, 1e-5, 2e-3, "2026-11-21", "0.1.0",
    )  # fmt: skip
    return replace(made, **changes)


DEFAULT = workload().candidates(INFO)[0].name


def test_records_of_another_device_are_where_a_search_starts_and_no_more() -> None:
    other = replace(record(workload()), device=DeviceKey("another cpu", "an OpenCL", "3.1", 4))
    foreign = replace(other, device=replace(other.device, platform="another OpenCL"))
    for board, starts in (([other], [other.point]), ([foreign], [])):
        choice = RecordedChoice(INFO, board=board)
        assert choice.starts(workload()) == starts
        assert chosen(choice, workload()) == DEFAULT


def test_without_records_the_default_is_taken() -> None:
    assert DEFAULT != "direct"
    assert chosen(RecordedChoice(INFO), workload()) == DEFAULT


def test_a_record_of_the_workload_decides() -> None:
    choice = RecordedChoice(INFO, [record(workload())])
    assert chosen(choice, workload()) == "direct"
    assert (choice.exact, choice.borrowed) == (1, 0)


def test_values_of_a_record_are_taken() -> None:
    work = workload()
    plain = record(work)
    point = plain.point.changed("TILE_M", 8)
    candidate = RecordedChoice(INFO, [replace(plain, point=point)])(work, work.candidates(INFO))
    assert candidate.values["TILE_M"] == 8


def test_the_nearest_lends_its_choice() -> None:
    near, far = record(workload(32)), record(workload(56), DEFAULT)
    choice = RecordedChoice(INFO, [far, near])
    assert chosen(choice, workload()) == "direct"
    assert (choice.exact, choice.borrowed) == (0, 1)
    assert choice.starts(workload()) == [near.point, far.point]


def test_the_nearest_lends_nothing_where_it_gained_nothing() -> None:
    """Its default need not be the other's; nor is what lies further away asked then."""
    near, far = record(workload(32), seconds=2e-3), record(workload(56))
    choice = RecordedChoice(INFO, [far, near])
    assert chosen(choice, workload()) == DEFAULT
    assert (choice.exact, choice.borrowed) == (0, 0)


def test_what_is_too_far_lends_nothing() -> None:
    choice = RecordedChoice(INFO, [record(workload(512, 512))])
    assert chosen(choice, workload()) == DEFAULT


def test_the_user_comes_before_the_board_and_the_last_before_the_first() -> None:
    work = workload()
    board, first, last = record(work), record(work), record(work, DEFAULT)
    assert chosen(RecordedChoice(INFO, [first, last], [board]), work) == DEFAULT
    assert chosen(RecordedChoice(INFO, [], [board]), work) == "direct"


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "another kernel"},
        {"device": DeviceKey("another", "an OpenCL", "3.1", 1)},
        {"device": DeviceKey("a cpu", "an OpenCL", "3.0", 1)},
        {"device": DeviceKey("a cpu", "an OpenCL", "3.1", 8)},
        {"point": Point("no_such_candidate")},
        {"point": Point.of("direct", {"TILE_M": 12345})},
    ],
    ids=str,
)
def test_a_record_that_does_not_hold_is_not_used(changes: dict[str, object]) -> None:
    choice = RecordedChoice(INFO, [record(workload(), **changes)])
    assert chosen(choice, workload()) == DEFAULT
    assert choice.recorded(workload(), workload().candidates(INFO)) is None


def test_a_boards_record_may_be_of_another_drivers_version() -> None:
    older = record(workload(), device=DeviceKey("a cpu", "an OpenCL", "3.0", 1))
    assert chosen(RecordedChoice(INFO, [], [older]), workload()) == "direct"
