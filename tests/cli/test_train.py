"""`clnet train`: names, files and data in, a network, a plot and a report out."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from harness import device

import clnet
from clnet.cli import main

pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """Files like MNIST's, of stripes: upright or lying."""
    folder = tmp_path_factory.mktemp("digits")
    rng = np.random.default_rng(0)
    for part, count in (("train", 96), ("t10k", 32)):
        labels = (np.arange(count) % 2).astype(np.uint8)
        images = rng.integers(0, 60, (count, 16, 16), np.uint8)
        images[labels == 0, ::4] += 180
        images[labels == 1, :, ::4] += 180
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            path = folder / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(head + array.tobytes()))
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two folders of plain pictures, red and blue."""
    pillow = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (folder / name).mkdir()
        for i in range(12):
            pixels = rng.integers(0, 100, (20, 20, 3), np.uint8)
            pixels[:, :, channel] += 120
            pillow.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def test_a_network_by_name(digits: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("matplotlib")
    output, plot = tmp_path / "net.onnx", tmp_path / "curves.png"
    command = ["train", "mnist_cnn", "--data", str(digits), "--epochs", "3", "--batch", "8",
               "--rate", "0.003", "--output", str(output), "--plot", str(plot)]  # fmt: skip
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "96 samples 1x16x16, 32 to validate with" in text and "at peak" in text
    lines = [line for line in text.splitlines() if line.strip()[:1].isdigit()]
    assert len(lines) == 3 and "validation accuracy" in text
    assert plot.read_bytes()[:4] == b"\x89PNG"
    with clnet.load(output, device()) as session:
        assert session.outputs[0].shape == (1, 10)


def test_json_and_resuming(digits: Path, tmp_path: Path, capsys) -> None:
    checkpoint, weights = tmp_path / "c.safetensors", tmp_path / "w.safetensors"
    command = ["train", "mnist_cnn", "--data", str(digits), "--batch", "8", "--json",
               "--optimizer", "sgd", "--momentum", "0.9", "--rate", "0.01", "--elastic", "4",
               "--checkpoint", str(checkpoint), "--resume"]  # fmt: skip
    assert main([*command, "--epochs", "1"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([*command, "--epochs", "2", "--output", str(weights)]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["loss"][0] == first["loss"][0] and len(second["loss"]) == 2
    assert second["files"] == [str(weights), str(checkpoint)] and second["memory_bytes"] > 0
    assert clnet.training.checkpoint.read_tensors(weights)[0].keys() >= {"conv1.weight"}


def test_a_model_file_gets_a_new_last_layer(photos: Path, tmp_path: Path, capsys) -> None:
    from clnet.models.layers import Activation, Conv, Dense, Flatten, MaxPool, Softmax

    layers = [Conv(4, 3).named("stem"), Activation("Relu"), MaxPool(2), Flatten(), Dense(5)]
    net = clnet.Sequential([*layers, Softmax()], (3, 12, 12))
    model = tmp_path / "model.onnx"
    with clnet.Trainer(net, device=device()) as trainer:
        trainer.export(model)
    command = ["train", str(model), "--data", str(photos), "--hold-out", "0.25", "--batch", "6",
               "--rate", "0.01", "--epochs", "6", "--freeze", "stem.*", "--json"]  # fmt: skip
    assert main(command) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["validation_accuracy"][-1] == 1
    assert main([*command[:-1]]) == 0
    text = capsys.readouterr().out
    assert "the last layer is new: 2 classes instead of 5" in text and "frozen" in text


def test_features_of_a_file_get_a_classifier(photos: Path, tmp_path: Path, capsys) -> None:
    from clnet.models.layers import Activation, Conv

    net = clnet.Sequential([Conv(4, 3), Activation("Relu"), Conv(2, 3)], (3, 12, 12))
    model = tmp_path / "model.onnx"
    with clnet.Trainer(net, "mse", device=device()) as trainer:
        trainer.export(model)
    node = "activation1"
    command = ["train", str(model), "--data", str(photos), "--features", node, "--json",
               "--epochs", "8", "--batch", "6", "--rate", "0.02"]  # fmt: skip
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"][-1] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["guess", "--data", "DIGITS"], "no network is named 'guess'"),
        (["lenet", "--data", "/none"], "/none is neither a folder nor"),
        (["lenet", "--data", "DIGITS", "--output", "x.pt"], "neither .onnx nor .safetensors"),
        (["none.onnx", "--data", "DIGITS"], "none.onnx"),
        (["lenet", "--data", "DIGITS", "--freeze", "stem*"], "no parameter is named like"),
        (["lenet", "--data", "DIGITS", "--resume"], "--resume needs the --checkpoint"),
        (["lenet", "--data", "DIGITS", "--momentum", "1"], "adam has no momentum"),
        (["lenet", "--data", "DIGITS", "--rotation", "-3"], "rotation is -3"),
    ],
)
def test_what_is_wrong_is_one_line(digits: Path, capsys, arguments, message) -> None:
    command = ["train", *(str(digits) if a == "DIGITS" else a for a in arguments)]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]


def test_bad_samples_name_their_file_before_anything_is_compiled(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr("clnet.training.trainer.Trainer.memory", None)
    (tmp_path / "net.cfg").write_text(
        "[net]\nwidth=4\nheight=4\nchannels=1\n[connected]\noutput=2\nactivation=linear\n[softmax]"
    )
    file = tmp_path / "data.npz"
    np.savez(file, x=np.zeros((5, 1, 4, 4), np.float32), y=np.array([0, 1, 0, 7, 1]))
    assert main(["train", str(tmp_path / "net.cfg"), "--data", str(file)]) == 2
    message = f"clnet: {file}: label y[3] is 7; there are classes 0 to 1"
    assert capsys.readouterr().err.splitlines()[-1] == message
