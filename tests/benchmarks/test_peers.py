"""The comparison with other runtimes: clnet's side, missing peers, dying ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.peers import match, model_files
from benchmarks.peers.__main__ import as_data
from benchmarks.peers.match import Result, Settings, best_rival, play
from benchmarks.peers.worker import FEWEST

ROOT = Path(__file__).resolve().parents[2]


def test_one_command_compares_and_names_what_is_missing(tmp_path: Path) -> None:
    """The peers' interpreter is one that has nothing."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    command = [sys.executable, "-m", "benchmarks.peers", "--models", "lenet", "--peers", "ncnn"]
    command += ["--peers-python", str(python), "--rounds", "2", "--seconds", "0.05", "--json"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    clnet_, ncnn = json.loads(done.stdout)["lenet"]
    assert clnet_["runtime"] == "clnet" and clnet_["runs"] >= 2 * FEWEST
    assert 0 < clnet_["min_ms"] <= clnet_["median_ms"]
    assert clnet_["peak_bytes"] > 1 << 20
    assert ncnn["runtime"] == "ncnn" and ncnn["fault"] and "median_ms" not in ncnn


def test_a_peer_that_dies_is_a_line_of_the_table(tmp_path: Path) -> None:
    model_files.prepare("lenet", tmp_path)
    settings = Settings("/bin/false", threads=2, rounds=1, seconds=0.01, device=None)
    mine, dead = play(["clnet", "mnn"], tmp_path, settings)
    assert not mine.fault and mine.latencies
    assert dead.fault == "its process ended with status 1"


def test_other_outputs_are_seen(tmp_path: Path) -> None:
    np.savez(tmp_path / "clnet.npz", np.array([1.0, -4.0]))
    np.savez(tmp_path / "mnn.npz", np.array([[1.0, -3.0]]))
    np.savez(tmp_path / "ncnn.npz", np.array([1.0]))
    results = [Result("clnet"), Result("mnn"), Result("ncnn")]
    match.compare(results, tmp_path)
    assert results[1].difference == pytest.approx(0.25)
    assert "shapes" in results[2].fault


def test_the_best_rival_is_not_any_peer() -> None:
    results = [Result(n, turns=[[t]]) for n, t in (("ncnn", 1.0), ("mnn", 2.0), ("openvino", 3.0))]
    assert best_rival(results) is results[1]
    assert best_rival(results[:1]) is None


def test_a_ratio_compares_the_runs_of_a_round() -> None:
    """Most of the one's runs, and few of the other's, fell into bad seconds."""
    one = Result("clnet", turns=[[2.0], [4.0, 4.0, 9.0], [4.0]])
    other = Result("mnn", turns=[[4.0, 4.0, 5.0], [8.0], [10.0]])
    assert as_data(one, other)["ratio"] == one.ratio(other) == 0.5
    assert one.median / other.median == 0.8


def test_an_open_batch_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "open.onnx"
    value = onnx.helper.make_tensor_value_info
    for shape, closed in ((["n", 3], [1, 3]), ([2, "n"], None)):
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Relu", ["x"], ["y"])], "g",
            [value("x", onnx.TensorProto.FLOAT, shape)],
            [value("y", onnx.TensorProto.FLOAT, shape)],
        )  # fmt: skip
        onnx.save(onnx.helper.make_model(graph), path)
        if closed is None:
            with pytest.raises(ValueError, match="dimension 1 of input x is open"):
                model_files.prepare(str(path), tmp_path)
        else:
            model_files.prepare(str(path), tmp_path)
            with np.load(tmp_path / "inputs.npz") as stored:
                assert list(stored["arr_0"].shape) == closed
