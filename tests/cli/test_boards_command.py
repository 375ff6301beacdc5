"""`clnet boards` and `clnet boards show`, as a user reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clnet import boards
from clnet.boards import find_board, load_boards
from clnet.cli import boards as command
from clnet.cli import main
from clnet.cli.doctor import gpus
from clnet.cli.doctor.machine import Machine
from clnet.cli.doctor.survey import Survey
from clnet.errors import DeviceError
from clnet.runtime import devices


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["boards", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_the_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "machine_words", lambda: "Radxa ROCK 5B\nrockchip,rk3588")
    header, *lines = printed(capsys).splitlines()
    assert header.split() == ["board", "device", "fp16", "sharing", "records", "measured"]
    assert len(lines) == len(load_boards())
    (here,) = (line for line in lines if line.startswith("*"))
    assert here.split() == ["*", "rk3588", "Mali-G610", "MP4", "yes", "alloc_host_ptr", "0", "no"]
    column = header.index("fp16")
    assert {line[column - 1] for line in lines} == {" "}  # aligned

    known = {b["name"]: b for b in json.loads(printed(capsys, "--json"))}
    assert known["rk3588"]["here"] and not known["rk3399"]["here"]
    assert known["raspberry-pi-5"]["fp16"] is False and known["rk3588"]["records"] == 0


def test_the_list_before_opencl_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise DeviceError("no loader")

    monkeypatch.setattr(boards, "machine_words", lambda: "")
    monkeypatch.setattr(devices, "devices", broken)
    assert "*" not in printed(capsys)


@pytest.mark.parametrize("name", [board.name for board in load_boards()])
def test_everything_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    board, text = find_board(name), printed(capsys, "show", name)
    words = " ".join(text.split())
    for part in (board.description, board.measurements, *(p.text for p in board.pitfalls)):
        assert " ".join(part.split()) in words
    for driver in board.drivers:
        assert driver.name in words and all(c in text for c in driver.commands)
    for figures in board.figures:
        (row,) = (line for line in text.splitlines() if line.startswith(f"{figures.runtime}  "))
        assert {f"{v:g}" for v in figures.milliseconds.values()} <= set(row.split())
    numbers = [f"[{i}]" for i, _ in enumerate(board.sources, 1)]
    assert all(text.count(number) >= 2 for number in numbers)  # where it is used, and the list


def test_show_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("show", "rk3399", "--json"), ("--json", "show", "rk3399")):
        shown = json.loads(printed(capsys, *arguments))
        assert shown["name"] == "rk3399" and shown["records"] == 0
        assert shown["figures"][0]["milliseconds"]["ResNet-18"] == 74.2
        assert set(shown["sources"]) == set(find_board("rk3399").sources)


def test_an_unknown_board_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "show", "rk3589"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("clnet: no board is called 'rk3589': did you mean rk3588")
    assert captured.err.count("\n") == 1


def test_records_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = find_board("rk3588")
    monkeypatch.setattr(boards, "boards_path", lambda: tmp_path)
    assert command._records(board) == 0
    (tmp_path / "rk3588.tuning.jsonl").write_text("damaged\n")
    with pytest.warns(UserWarning, match=r"rk3588\.tuning\.jsonl: line 1"):
        assert command._records(board) == 0


def test_doctor_points_to_the_board(tmp_path: Path) -> None:
    machine, nothing = Machine(tmp_path, {}, "aarch64", is_root=True), Survey("l")
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "model").write_bytes(b"Orange Pi 5\0")
    (tree / "compatible").write_bytes(b"xunlong,orangepi-5\0rockchip,rk3588s\0")
    finding = gpus.gpus(nothing, [], machine)[-1]
    assert (finding.status, finding.what, finding.fix) == ("note", "Orange Pi 5", "")
    assert "clnet boards show rk3588" in finding.detail

    (tree / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    (tree / "compatible").write_bytes(b"raspberrypi,5-model-b\0brcm,bcm2712\0")
    finding = gpus.gpus(nothing, [], machine)[-1]
    assert "CPU is several times faster than its GPU" in finding.detail
    assert "clnet boards show raspberry-pi-5" in finding.detail and "pocl" in finding.fix
