"""`clnet demo`, and the model of it that the repository carries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from harness import device

import clnet
from clnet.cli import demo, main

pytest.importorskip("sklearn")
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_demo_trains_exports_and_recognises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "digits.onnx"
    assert main(["demo", "--json", "--output", str(path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["accuracy"] >= 0.97
    assert answer["model_bytes"] == path.stat().st_size < 200_000


def test_the_model_in_the_examples_recognises_digits_held_out() -> None:
    _, _, x, y = demo.digits()
    path = EXAMPLES / "digits.onnx"
    with clnet.load(path, device(), input_shapes={"x": x.shape}) as session:
        (scores,) = session.run({"x": x}).values()
    assert (scores.argmax(axis=1) == y).mean() >= 0.97


def test_the_picture_in_the_examples_is_a_seven(capsys: pytest.CaptureFixture[str]) -> None:
    model, picture = str(EXAMPLES / "digits.onnx"), str(EXAMPLES / "seven.png")
    assert main(["run", model, "--image", picture, "--top", "1"]) == 0
    assert capsys.readouterr().out.split()[-1] == "7"


def test_digits_are_drawn_in_whatever_the_terminal_can_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = np.array([[[0, 0.5, 1]]])
    assert demo._drawn(images) == ["  ▒▒██"]
    monkeypatch.setattr("sys.stdout", open("/dev/null", "w", encoding="ascii"))  # noqa: SIM115
    assert demo._drawn(images) == ["  ::##"]
