"""The commands as a user meets them: what they print, and one line where something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clnet.cli import COMMANDS, labels, main, output
from clnet.images import PRESETS


def save(path: Path, nodes: list, inputs: dict, outputs: dict, weights: dict) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """Four classes; zeros give 0, 0.2, 0.7, 0.1."""
    weights = {"w": np.array([0, 0.2, 0.7, 0.1])}
    nodes = [helper.make_node("Add", ["x", "w"], ["scores"], "add")]
    return save(tmp_path / "cls.onnx", nodes, {"x": [1, 4]}, {"scores": [1, 4]}, weights)


@pytest.fixture
def filter_(tmp_path: Path) -> Path:
    """A photo in, a photo out; the batch is open."""
    nodes = [helper.make_node("Relu", ["x"], ["y"], "relu")]
    shape = ["n", 3, 2, 2]
    return save(tmp_path / "filter.onnx", nodes, {"x": shape}, {"y": shape}, {})


@pytest.fixture
def zeros(tmp_path: Path) -> Path:
    path = tmp_path / "zeros.npy"
    np.save(path, np.zeros((1, 4), np.float32))
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "white.png"
    image.fromarray(np.full((5, 4, 3), 255, np.uint8)).save(path)
    return path


def clnet(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on stderr of a command that ends with status 2."""
    assert clnet(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("clnet: ")
    return line


def json_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert clnet(*arguments, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys, clnet.cli\n"
        "try: clnet.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(' '.join({'numpy', 'onnx', 'pyopencl', 'rich', 'PIL'} & set(sys.modules)) or 0)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.stderr == "" and child.returncode == 0
    for command in COMMANDS:
        assert command.__name__.rpartition(".")[2] in child.stdout


def test_devices(capsys: pytest.CaptureFixture[str]) -> None:
    known = json_of(capsys, "devices")
    assert sum(d["preferred"] for d in known) == 1
    assert [d["index"] for d in known] == list(range(len(known)))
    assert clnet("devices") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(known) and "memory" in header
    column = header.index("sharing")
    assert all(row[column - 2 : column] == "  " and row[column] != " " for row in rows)


def test_info_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1], group=2),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "g"], ["y"], "gemm", transB=1),
    ]
    weights = {"w": np.ones((6, 2, 3, 3)), "b": np.ones(6), "g": np.ones((5, 6))}
    model = save(tmp_path / "m.onnx", nodes, {"x": [1, 4, 8, 8]}, {"y": [1, 5]}, weights)
    answer = json_of(capsys, "info", model)
    by_op = {n["op"]: n for n in answer["nodes"]}
    assert "conv" in by_op["Conv"]["name"]
    assert by_op["Conv"]["macs"] == 6 * 8 * 8 * 2 * 3 * 3
    assert by_op["Conv"]["parameters"] == 6 * 2 * 3 * 3 + 6
    assert by_op["Conv"]["output"] == [1, 6, 8, 8]
    assert by_op["Gemm"]["macs"] == 5 * 6 and by_op["Relu"]["macs"] == 0
    assert answer["totals"]["weight_bytes"] == 4 * (108 + 6 + 30)
    assert answer["plan"]["arena_bytes"] >= answer["plan"]["arena_lower_bound"]
    assert clnet("info", model) == 0
    out = capsys.readouterr().out
    assert "1x6x8x8" in out and "6912" in out


def test_info_works_without_a_device(
    classifier: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("clnet.runtime.devices.devices", lambda: ())
    monkeypatch.delenv("CLNET_DEVICE", raising=False)
    answer = json_of(capsys, "info", classifier)
    assert answer["plan"] is None and answer["totals"]["parameters"] == 4
    assert "no OpenCL device" in error_of(capsys, "info", classifier, "--device", "0")


def test_run_prints_the_best_classes(
    classifier: Path, zeros: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "labels.txt"
    names.write_text("'n00000001 cat, feline'\ndog\nowl\n\nn00000004 bee\n\n".replace("\n\n", "\n"))
    arguments = ("run", classifier, "--input", f"x={zeros}", "--top", 2)
    assert clnet(*arguments, "--labels", names) == 0
    assert capsys.readouterr().out.splitlines() == [
        "scores (1x4)",
        "     70.00%      2  owl",
        "     20.00%      1  dog",
    ]
    answer = json_of(capsys, *arguments)
    best = answer["outputs"][0]["top"]
    assert [b["index"] for b in best] == [2, 1] and best[0]["label"] is None


def test_run_writes_outputs(
    classifier: Path, zeros: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.npz"
    assert clnet("run", classifier, "--input", f"x={zeros}", "--output", target) == 0
    np.testing.assert_allclose(np.load(target)["scores"], [[0, 0.2, 0.7, 0.1]])
    nowhere = tmp_path / "nowhere" / "out.npz"
    line = error_of(capsys_after(capsys), "run", classifier, "--input", f"x={zeros}",
                    "--output", nowhere)  # fmt: skip
    assert str(nowhere) in line


def capsys_after(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """The same, with what was printed so far dropped."""
    capsys.readouterr()
    return capsys


def test_run_reads_photos(filter_: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = json_of(capsys, "run", filter_, "--image", photo)["outputs"]
    assert answer["shape"] == [1, 3, 2, 2] and answer["max"] == answer["min"] == 1
    (answer,) = json_of(
        capsys, "run", filter_, "--image", photo, "--mean", "127", "--scale", "1/128"
    )["outputs"]
    assert answer["mean"] == 1
    (answer,) = json_of(capsys, "run", filter_, "--image", photo, "--preset", "raw")["outputs"]
    assert answer["mean"] == 255
    assert clnet("run", filter_, "--image", photo) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["output", "dtype", "shape", "min", "max", "mean"]
    assert row.split() == ["y", "float32", "1x3x2x2", "1", "1", "1"]


def test_run_takes_other_shapes(
    filter_: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "three.npy", np.full((3, 3, 2, 2), np.nan, np.float32))
    source = f"x={tmp_path / 'three.npy'}"
    (answer,) = json_of(capsys, "run", filter_, "--input", source)["outputs"]
    assert answer["shape"] == [3, 3, 2, 2] and answer["mean"] is None  # NaN is not JSON


def test_run_says_what_is_wrong(
    classifier: Path, filter_: Path, photo: Path, zeros: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    line = error_of(capsys, "run", classifier)
    assert "x (float32 1x4)" in line and "--input x=FILE.npy" in line and "--image" in line
    assert "missing.onnx" in error_of(capsys, "run", tmp_path / "missing.onnx")
    assert "missing.npy" in error_of(capsys, "run", classifier, "--input", "x=missing.npy")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00not a header")
    assert "bad.npy" in error_of(capsys, "run", classifier, "--input", f"x={tmp_path / 'bad.npy'}")
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    source = f"x={tmp_path / 'object.npy'}"
    assert "object.npy" in error_of(capsys, "run", classifier, "--input", source)
    assert "z" in error_of(capsys, "run", classifier, "--input", f"z={zeros}")
    np.save(tmp_path / "wide.npy", np.zeros((1, 9), np.float32))
    source = f"x={tmp_path / 'wide.npy'}"
    assert "[1, 9]" in error_of(capsys, "run", classifier, "--input", source)
    assert "1x4" in error_of(capsys, "run", classifier, "--image", photo)
    line = error_of(capsys, "run", classifier, "--image", photo, "--input", f"x={zeros}")
    assert "no input is left" in line
    assert "nope.png" in error_of(capsys, "run", filter_, "--image", tmp_path / "nope.png")
    names = tmp_path / "labels.txt"
    names.write_text("one\ntwo\n")
    arguments = ("run", classifier, "--input", f"x={zeros}", "--labels")
    assert "2 labels do not fit: the model has outputs of 4 classes" in error_of(
        capsys, *arguments, names
    )
    names.write_text("\n")
    assert "holds no labels" in error_of(capsys, *arguments, names)
    assert "device" in error_of(capsys, *arguments[:-1], "--device", "no such")


def test_bench(classifier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json_of(capsys, "bench", classifier, "--runs", 7)
    assert answer["runs"] == 7 and answer["launches"] == 1
    assert 0 < answer["min_ms"] <= answer["median_ms"] <= answer["p95_ms"]
    assert answer["weight_bytes"] == 16
    assert answer["bytes_copied_per_run"] in (0, 32)  # 32 where memory is not shared
    assert clnet("bench", classifier, "--runs", 3) == 0
    assert "of 3 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "m.onnx", "--shape", "1x3"],
        ["run", "m.onnx", "--shape", "x=1xa"],
        ["run", "m.onnx", "--input", "x.npy"],
        ["run", "m.onnx", "--mean", "a"],
        ["run", "m.onnx", "--scale", "1/0"],
        ["bench", "m.onnx", "--runs", "0"],
        ["sing"],
        [],
    ],
)
def test_arguments_are_checked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_names_out_of_a_model_do_not_reach_the_terminal_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "x\x1b[2J\n"
    nodes = [helper.make_node("Relu", [hostile], ["\x1b]0;y"], "\x1b[31m")]
    model = save(tmp_path / "m.onnx", nodes, {hostile: [1, 2]}, {"\x1b]0;y": [1, 2]}, {})
    assert clnet("info", model) == 0
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out and "x\\x1b[2J\\n" in captured.out
    assert "\x1b" not in error_of(capsys, "run", model)
    np.save(tmp_path / "x.npy", np.zeros((1, 2), np.float32))
    assert clnet("run", model, "--input", f"{hostile}={tmp_path / 'x.npy'}") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_interrupting_is_quiet(
    classifier: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clnet.importers.read_model", interrupt)
    assert clnet("info", classifier) == 130
    assert capsys.readouterr().err.strip() == ""


def test_a_reader_that_leaves_early_is_no_error(classifier: Path) -> None:
    command = [sys.executable, "-m", "clnet", "info", str(classifier)]
    read, write = os.pipe()
    os.close(read)
    child = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert child.returncode == 141
    # an OpenCL that does not work may be passed over, which is said
    assert all("is used instead" in line for line in child.stderr.splitlines())


def test_presets_are_those_of_images() -> None:
    parser_text = subprocess.run(
        [sys.executable, "-m", "clnet", "run", "--help"], capture_output=True, text=True
    ).stdout
    assert "{" + ",".join(PRESETS) + "}" in parser_text.replace("\n", "").replace(" ", "")


def test_background_class() -> None:
    best = labels.top(np.array([0.1, 0.2, 0.7]), 3, ["cat", "dog"])
    assert [b.label for b in best] == ["dog", "cat", "background"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((10,), True), ((1, 10), True), ((1, 10, 1, 1), True), ((2, 10), False), ((1, 1), False),
     ((1, 4, 4), False), ((), False)],
)  # fmt: skip
def test_which_outputs_are_scores(shape: tuple[int, ...], expected: bool) -> None:
    assert labels.is_scores(np.zeros(shape, np.float32)) is expected


def test_amounts() -> None:
    assert [output.amount(n) for n in (0, 1023, 1536, 3 << 20, 5 << 30)] == [
        "0 B", "1023 B", "1.5 KiB", "3.0 MiB", "5.0 GiB",
    ]  # fmt: skip
    assert [output.count(n) for n in (9999, 12_345, 12_345_678)] == ["9999", "12.3 k", "12.3 M"]


def test_convert(classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.onnx"
    assert clnet("convert", classifier, out) == 0
    assert str(out) in capsys.readouterr().out
    answer = json_of(capsys, "convert", classifier, out)
    assert answer["nodes"] == 1 and answer["bytes"] == out.stat().st_size
    assert onnx.load(out).graph.node[0].op_type == "Add"


def test_convert_takes_networks_of_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg, out = tmp_path / "net.cfg", tmp_path / "out.onnx"
    cfg.write_text("[net]\nwidth=4\nheight=4\nchannels=1\n[convolutional]\nfilters=1\nsize=1\n")
    assert "needs its weights" in error_of(capsys, "convert", cfg, out)
    weights = np.array([0, 2, 5, 0, 0, *np.array([1, 2], np.float32).view(np.int32)], np.int32)
    (tmp_path / "other.weights").write_bytes(weights.tobytes())
    shape = ("--shape", "data=2x1x4x4")
    assert clnet("convert", cfg, out, "--weights", tmp_path / "other.weights", *shape) == 0
    dims = onnx.load(out).graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in dims] == [2, 1, 4, 4]


def test_convert_keeps_to_onnx_files(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not end in .onnx" in error_of(capsys, "convert", classifier, tmp_path / "a.tflite")
    assert "is the model itself" in error_of(capsys, "convert", classifier, classifier)
    assert "cannot write" in error_of(capsys, "convert", classifier, tmp_path / "gone" / "a.onnx")


def test_convert_names_the_layer_that_onnx_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "ssd.prototxt"
    net.write_text(
        'input: "l" input_shape { dim: 1 dim: 4 } input: "s" input_shape { dim: 1 dim: 2 }'
        ' input: "p" input_shape { dim: 1 dim: 2 dim: 4 }'
        ' layer { name: "found" type: "DetectionOutput" bottom: "l" bottom: "s" bottom: "p"'
        ' top: "y" detection_output_param { num_classes: 2 nms_param { eta: 0.9 } } }'
    )
    (tmp_path / "ssd.caffemodel").write_bytes(b"\x0a\x01n")
    message = error_of(capsys, "convert", net, tmp_path / "out.onnx")
    assert "found" in message and "ONNX has no DetectionOutput" in message
