"""Board files: each shipped one is valid, a damaged one is named; devices find their board."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clnet import boards
from clnet.boards import board_of, board_of_machine, find_board, load_boards, machine_words
from clnet.boards.board import MEMORY_POLICIES
from clnet.boards.reading import read_board
from clnet.device_info import DeviceInfo
from clnet.errors import ClnetError
from clnet.resources import boards_path
from clnet.runtime.memory import MemoryPolicy

BOARDS = load_boards()
VALID = """
name = "some"
description = "Some board"
device = "Some GPU"
measured = false
measurements = "None."
devices = ["Some"]
machines = ["some,chip"]
facts = [{ name = "compute_units", value = 4, source = "a" }]
figures = [{ runtime = "r", on = "GPU", source = "a", milliseconds = { Net = 5 } }]
pitfalls = [{ text = "Mind.", source = "a" }]
[[drivers]]
name = "Its own"
commands = '''
one
two
'''
source = "a"
[sources]
a = "somewhere"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Boards of the test's own."""
    monkeypatch.setattr(boards, "boards_path", lambda: tmp_path)
    return tmp_path


def write(folder: Path, text: str, name: str = "some") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def device(name: str, platform: str = "ARM Platform") -> DeviceInfo:
    return DeviceInfo(name=name, platform=platform)


def found(name: str, machine: str, platform: str = "ARM Platform") -> str | None:
    board = board_of(device(name, platform), machine)
    return board.name if board else None


def test_the_boards_that_are_promised_are_there() -> None:
    assert {b.name for b in BOARDS} >= {
        "rk3588", "rk3399", "rk3566", "amlogic-a311d", "amlogic-s922x", "raspberry-pi-4",
        "raspberry-pi-5", "intel-n100", "intel-n5105", "adreno-6xx", "adreno-7xx", "generic-cpu",
    }  # fmt: skip
    assert [b.name for b in BOARDS] == sorted(p.stem for p in boards_path().glob("*.toml"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
def test_every_board_says_what_users_need(board: boards.Board) -> None:
    assert board.drivers and all(driver.commands for driver in board.drivers)
    assert board.fact("fp16") is not None and board.fact("memory_policy") is not None
    assert board.measurements.endswith(".")
    told = [(f.name, f.driver) for f in board.facts]
    assert len(set(told)) == len(told), "a fact is told twice for one driver"


def test_no_machine_is_two_boards() -> None:
    words = [(word.lower(), board.name) for board in BOARDS for word in board.machines]
    for word, name in words:
        assert [n for w, n in words if w in word or word in w] == [name]


def test_policies_are_the_runtimes() -> None:
    assert list(MEMORY_POLICIES) == [policy.value for policy in MemoryPolicy]


def test_a_valid_file(tmp_path: Path) -> None:
    board = read_board(write(tmp_path, VALID))
    assert board.fact("compute_units") == 4 and board.fact("fp16") is None
    assert board.drivers[0].commands == ("one", "two")
    assert board.figures[0].milliseconds == {"Net": 5.0}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "some"', 'name = "other"', "name: must be the file's own, 'some'"),
        ('name = "some"', "", "name: missing"),
        ("measured = false", "measured = 0", "measured: must be true or false, not 0"),
        ("measured = false", 'measured = false\nspeed = "high"', "speed: unknown key"),
        ('description = "Some board"', 'description = ""', "description: is empty"),
        ('devices = ["Some"]', 'devices = "Some"', "devices: must be an array"),
        ('devices = ["Some"]', "devices = []", "devices: at least one name"),
        ('devices = ["Some"]', 'devices = ["Some", 3]', r"devices\[2\]: must be a string, not 3"),
        ('machines = ["some,chip"]', "", "machines: missing"),
        ("value = 4", "value = true", r"facts\[1\]\.value: must be a whole number, not True"),
        ("value = 4", "value = 4.5", r"facts\[1\]\.value: must be a whole number"),
        ("value = 4", "value = -4", r"facts\[1\]\.value: -4 is not a positive"),
        ("value = 4", "value = 4, unit = 'x'", r"facts\[1\]\.unit: unknown key"),
        ('"compute_units", value = 4', '"memory_policy", value = "x"', r"facts\[1\]\.value: 'x'"),
        ('"compute_units"', '"horse_power"', r"facts\[1\]\.name: 'horse_power' is none of"),
        ("Net = 5", 'Net = "5"', r"figures\[1\]\.milliseconds\.Net: must be a number"),
        ("Net = 5", "Net = nan", r"figures\[1\]\.milliseconds\.Net: nan is not a positive"),
        ("Net = 5", "Net = inf", r"figures\[1\]\.milliseconds\.Net: inf is not a positive"),
        ('on = "GPU", ', "", r"figures\[1\]\.on: missing"),
        ('{ text = "Mind.", source = "a" }', '"Mind."', r"pitfalls\[1\]: must be a table"),
        ('"Mind.", source = "a"', '"Mind.", source = "b"', "sources.b: missing, but referred to"),
        ('a = "somewhere"', 'a = "x"\nb = "y"', "sources.b: nothing refers to it"),
        ("[sources]", "[sources", "line "),
        ("measured = false", "measured = false\nmeasured = true", "line "),
    ],
)
def test_a_damaged_file_is_named_with_its_key(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in VALID
    path = write(tmp_path, VALID.replace(old, new, 1))
    with pytest.raises(ClnetError, match=f"^{re.escape(str(path))}: .*{reason}"):
        read_board(path)


def test_files_that_are_no_text_or_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    for content in (b"name = '\xff'", b"a = " + b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ClnetError, match=re.escape(str(path))):
            read_board(path)


def test_every_cut_of_a_shipped_file_is_refused(tmp_path: Path) -> None:
    text = (boards_path() / "rk3588.toml").read_text()
    for lines in range(len(text.splitlines())):
        cut = "\n".join(text.splitlines()[:lines])
        with pytest.raises(ClnetError):
            read_board(write(tmp_path, cut, "rk3588"))


def test_one_damaged_file_is_not_overlooked(folder: Path) -> None:
    write(folder, VALID)
    assert find_board("some").device == "Some GPU"
    (folder / "more").mkdir()
    write(folder / "more", VALID.replace('device = "Some GPU"', ""))
    with pytest.raises(ClnetError, match="device: missing"):
        load_boards(folder / "more")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("pi5", "did you mean raspberry-pi-5?"),
        ("RK3588", "did you mean rk3588?"),
        ("rk3568", "did you mean rk3588 or rk3566"),
        ("n5105", "did you mean intel-n5105?"),
        ("toaster", "`clnet boards` lists them"),
        ("", "`clnet boards` lists them"),
    ],
)
def test_an_unknown_name(name: str, near: str) -> None:
    with pytest.raises(ClnetError, match=re.escape(f"no board is called {name!r}: {near}")):
        find_board(name)


def test_records_lie_beside_the_board(folder: Path) -> None:
    write(folder, VALID)
    assert boards.records_path(find_board("some")) == folder / "some.tuning.jsonl"


@pytest.mark.parametrize(
    ("name", "machine", "board"),
    [
        ("Mali-LODX r0p0", "Orange Pi 5\nrockchip,rk3588s", "rk3588"),
        ("Mali-G610 r0p0", "Radxa ROCK 5B\nrockchip,rk3588", "rk3588"),
        ("Mali-G610 MC6 r0p0", "some phone\nmediatek,mt6895", None),
        ("Mali-G610 r0p0", "", "rk3588"),
        ("Mali-T860", "Pine64 RockPro64\nrockchip,rk3399", "rk3399"),
        ("Mali-G52", "Khadas VIM3\namlogic,a311d", "amlogic-a311d"),
        ("Mali-G52", "Hardkernel ODROID-N2\namlogic,s922x", "amlogic-s922x"),
        ("Mali-G52 r1p0", "Orange Pi 3B\nrockchip,rk3566", "rk3566"),
        ("Mali-G52", "", None),  # three boards have it
        ("QUALCOMM Adreno(TM) 740", "whatever", "adreno-7xx"),
        ("QUALCOMM Adreno(TM) 643", "", "adreno-6xx"),
        ("Mali-G999", "rockchip,rk3588", None),
    ],
)
def test_the_board_of_a_device(name: str, machine: str, board: str | None) -> None:
    assert found(name, machine) == board


def test_the_board_of_a_device_of_other_platforms() -> None:
    pocl, neo = "Portable Computing Language", "Intel(R) OpenCL Graphics"
    pi = "Raspberry Pi 5 Model B Rev 1.0\nraspberrypi,5-model-b\nbrcm,bcm2712"
    assert found("pthread-cortex-a76", pi, pocl) == "raspberry-pi-5"
    assert found("V3D 7.1.7.0", pi, "rusticl") == "raspberry-pi-5"
    assert found("pthread-cortex-a76", "rockchip,rk3588", pocl) == "generic-cpu"
    assert found("pthread-haswell", "", pocl) == "generic-cpu"
    assert found("Intel(R) UHD Graphics", "Intel(R) N100", neo) == "intel-n100"
    assert found("Intel(R) UHD Graphics", "Intel(R) Celeron(R) N5105 @ 2.00GHz", neo) == (
        "intel-n5105"
    )
    assert found("Intel(R) UHD Graphics", "Intel(R) Core(TM) i7", neo) is None
    assert found("Intel(R) UHD Graphics", "", neo) is None


def test_what_the_kernel_says(tmp_path: Path) -> None:
    assert machine_words(tmp_path) == "" and board_of_machine("") is None
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: Intel(R) N100\n")
    assert machine_words(tmp_path) == "Intel(R) N100"
    (tmp_path / "proc/device-tree/model").write_bytes(b"Khadas VIM3\0")
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"khadas,vim3\0amlogic,a311d\0")
    words = machine_words(tmp_path)
    assert words.splitlines() == ["Khadas VIM3", "", "khadas,vim3", "amlogic,a311d"]
    assert board_of_machine(words) is find_board("amlogic-a311d")
