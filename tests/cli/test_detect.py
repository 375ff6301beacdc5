"""`clnet run --detect`: which boxes stay, where they lie on the photo, and the picture itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from golden import DATA, needs_data
from importers.darknet_models import write

from clnet.cli import main
from clnet.cli.detect import Found, find, named, on_photo
from clnet.errors import InputError
from clnet.images import load_image, photo_frame

Image = pytest.importorskip("PIL.Image")


def yolo(*rows: list[float]) -> dict[str, np.ndarray]:
    return {"raw_0": np.ones((1, 14, 2, 2)), "yolo_1": np.array([rows], np.float32)}


def ssd(*rows: list[float]) -> dict[str, np.ndarray]:
    return {"detection_out": np.array([[rows]], np.float32)}


def test_boxes_of_one_class_that_overlap_the_surest_go() -> None:
    outputs = yolo(
        [0.5, 0.5, 0.4, 0.4, 0.9, 0.8, 0.1],
        [0.5, 0.5, 0.4, 0.3, 0.9, 0.85, 0.7],  # 3/4 of the first, and another class as well
        [0.5, 0.2, 0.4, 0.2, 0.9, 0.6, 0.0],  # does not touch the others
        [np.nan, 0.5, 0.4, 0.4, 0.9, 0.99, 0.0],
        [0.1, 0.1, 0.1, 0.1, 0.9, 0.5, np.nan],  # not above the threshold
    )
    found = find(outputs, 0.5, 0.7)
    assert [(f.index, round(f.score, 2)) for f in found] == [(0, 0.85), (1, 0.7), (0, 0.6)]
    np.testing.assert_allclose(found[0].box, (0.3, 0.35, 0.7, 0.65), rtol=1e-6)
    assert len(find(outputs, 0.5, 0.76)) == 4


def test_rows_of_ssd() -> None:
    outputs = ssd(
        [0, 2, 0.9, 0.1, 0.2, 0.3, 0.4],
        [0, 2, 0.8, 0.1, 0.2, 0.3, 0.41],
        [-1, 1, 0.99, 0, 0, 1, 1],  # what SSD fills up with
        [0, 1, 0.7, 0.1, 0.2, 0.3, 0.4],
    )
    found = find(outputs, 0.5, 0.45)
    assert [(f.index, round(f.score, 2)) for f in found] == [(2, 0.9), (1, 0.7)]
    np.testing.assert_allclose(found[0].box, (0.1, 0.2, 0.3, 0.4), rtol=1e-6)
    for labels in (["cat", "dog"], ["background", "cat", "dog"]):
        assert [f.label for f in named(found, outputs, labels)] == ["dog", "cat"]


def test_labels_must_be_as_many_as_classes() -> None:
    outputs = yolo([0.5, 0.5, 0.4, 0.4, 0.9, 0.8, 0.1])
    assert named(find(outputs, 0.5, 0.45), outputs, ["cat", "dog"])[0].label == "cat"
    with pytest.raises(InputError, match="1 labels do not fit: the model has 2 classes"):
        named([], outputs, ["cat"])
    with pytest.raises(InputError, match="no output holds boxes: y 1x10"):
        find({"y": np.zeros((1, 10))}, 0.5, 0.45)


@pytest.mark.parametrize("resize", ["stretch", "fit", "crop"])
def test_boxes_find_back_to_the_photo(tmp_path: Path, resize: str) -> None:
    """A white square in a photo is where the frame says it is in the input."""
    pixels = np.zeros((120, 240, 3), np.uint8)
    pixels[30:60, 90:150] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    shape = (1, 3, 96, 80)
    x = load_image(tmp_path / "photo.png", shape, resize=resize)[0, 0] > 0.9
    rows, columns = np.flatnonzero(x.any(1)), np.flatnonzero(x.any(0))
    box = columns[0] / 80, rows[0] / 96, (columns[-1] + 1) / 80, (rows[-1] + 1) / 96
    frame = photo_frame((240, 120), shape, resize=resize)
    (found,) = on_photo([Found(0, 1.0, box)], frame, 240, 120)
    np.testing.assert_allclose(found.box, (90, 30, 150, 60), atol=3)


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """One cell, whose only box is the whole input, of the second of two classes."""
    bias = np.array([0, 0, np.log(8), np.log(8), 9, -9, 9])
    head = "[conv]\nfilters=7\nactivation=linear\n[yolo]\nnum=1\nanchors=1,1\nclasses=2"
    net = "[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n"
    return write(tmp_path, net + head, bias, np.zeros((7, 3)))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((60, 90, 3), 200, np.uint8)).save(path)
    return path


def clnet(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_command(
    detector: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, picture = tmp_path / "names.txt", tmp_path / "out.png"
    names.write_text("cat\ndog\n")
    command = ("run", detector, "--image", photo, "--detect", "--labels", names)
    status, out, _ = clnet(capsys, *command, "--output", picture)
    assert status == 0
    header, row = out.splitlines()
    assert header.split() == ["object", "score", "left", "top", "right", "bottom"]
    assert row.split() == ["dog", "99.98%", "0", "0", "90", "60"]
    drawn = np.asarray(Image.open(picture))
    assert drawn.shape == (60, 90, 3)
    assert (drawn[30, 0] != 200).any() and (drawn[50, 45] == 200).all()
    _, out, _ = clnet(capsys, *command[:-2], "--json", "--output", tmp_path / "out.npz")
    (found,) = json.loads(out)["objects"]
    assert (found["class"], found["label"]) == (1, None)
    with np.load(tmp_path / "out.npz") as arrays:
        assert set(arrays) == {"yolo_2", "conv_1"}
    assert clnet(capsys, *command, "--threshold", "1")[1].count("\n") == 1


def test_command_says_what_is_wrong(
    detector: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = clnet(capsys, "run", detector, "--detect")
    assert status == 2 and "--detect needs --image" in err
    command = ("run", detector, "--image", photo, "--detect", "--output")
    for target in (tmp_path / "no" / "where.png", tmp_path / "out.txt"):
        status, _, err = clnet(capsys, *command, target)
        assert status == 2 and f"cannot write {target}" in err and len(err.splitlines()) == 1
    status, _, err = clnet(capsys, "run", detector, "--weights", "no.weights", "--image", photo)
    assert status == 2 and "no.weights" in err
    with pytest.raises(SystemExit):
        main(["run", str(detector), "--detect", "--threshold", "2"])


@needs_data
def test_yolo_fastest_finds_dog_bicycle_and_car(capsys: pytest.CaptureFixture[str]) -> None:
    folder = DATA / "models_darknet_yolo_fastest"
    _, out, _ = clnet(
        capsys, "run", folder / "yolo-fastest-1.1.cfg", "--json", "--detect",
        "--image", DATA / "images" / "darknet" / "dog.jpg", "--labels", folder / "coco.names",
    )  # fmt: skip
    found = {f["label"]: f["box"] for f in json.loads(out)["objects"]}
    assert found.keys() == {"dog", "bicycle", "car"}
    for label, box in (("dog", (130, 220, 310, 540)), ("car", (465, 75, 690, 170))):
        left, top = np.maximum(found[label][:2], box[:2])
        right, bottom = np.minimum(found[label][2:], box[2:])
        shared = (right - left) * (bottom - top)
        areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (found[label], box))
        assert shared / (areas - shared) > 0.5
