"""A session tunes itself: beside its work, or before it; and what may end that early."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from harness import device
from html_check import check_page
from tuning.test_tuner import model, workloads

import clnet
from clnet.errors import InputError
from clnet.runtime.memory import MemoryPolicy
from clnet.session.tune import tune
from clnet.tuning import store
from clnet.tuning.budget import TuningAbandonedError
from clnet.tuning.measure import Measurer

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(1).normal(size=(1, 3, 20, 24)).astype(np.float32)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_a_session_is_tuned_while_it_runs(tmp_path: Path) -> None:
    with clnet.load(model(tmp_path / "two.onnx"), device()) as session:
        expected = session(X)["y"]
        trials = []
        tuning = session.tune(
            600, level="fast", background=True, watch=lambda now: trials.append(now.trials)
        )
        with pytest.raises(InputError, match="already"):
            session.tune(1)
        runs = 0
        while not tuning.done:
            np.testing.assert_allclose(session(X)["y"], expected, atol=1e-4)
            runs += 1
        report = tuning.result()
        assert runs > 1 and max(trials) > 1 and len(report.results) == workloads()
        assert session.stats.tuned == workloads()
        if device().memory_policy is not MemoryPolicy.COPY:
            assert session.stats.bytes_copied == 0
        with session.map_output("y") as y:  # of the last run, which was the old plan's
            np.testing.assert_allclose(y, expected, atol=1e-4)
        session.execute()  # on the input that the old plan had
        with session.map_output("y") as y:
            np.testing.assert_allclose(y, expected, atol=1e-4)
        again = session.tune(60)
        assert (again.results, again.already_tuned, again.tuned) == ([], workloads(), 0)


def test_other_shapes_keep_their_own_plan(tmp_path: Path) -> None:
    """What is found for shapes that the session has left is kept as records only."""
    session = clnet.load(
        model(tmp_path / "two.onnx", height="h"), device(), input_shapes={"x": X.shape}
    )
    tuning = session.tune(600, level="fast", background=True)
    tall = np.concatenate([X, X], axis=2)
    expected = session(tall)["y"]
    tuning.result()
    np.testing.assert_allclose(session(tall)["y"], expected, atol=1e-4)
    assert len(list(store.read(store.user_records()))) >= 2


def test_closing_and_collecting_end_a_tuning_at_once(tmp_path: Path) -> None:
    path = model(tmp_path / "two.onnx")
    for end in ("close", "collect"):
        session = clnet.load(path, device())
        tuning = session.tune(600, level="exhaustive", background=True, force=True)
        reference = weakref.ref(session)
        if end == "close":
            session.close()
        del session
        gc.collect()
        assert reference() is None
        with pytest.raises(TuningAbandonedError):
            tuning.result(120)


def test_a_process_does_not_wait_for_its_tuning(tmp_path: Path) -> None:
    code = (
        "import time, clnet\n"
        f"session = clnet.load({str(model(tmp_path / 'two.onnx'))!r}, {device().index})\n"
        "session.tune(600, level='exhaustive', background=True)\n"
        "time.sleep(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_load_tunes_what_is_not_tuned_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model(tmp_path / "two.onnx")
    with clnet.load(path, device()) as session:
        expected = session(X)["y"]
    opened = []
    with monkeypatch.context() as patch:
        patch.setattr(Measurer, "open", lambda self, *_: opened.append(self) or 1e-3)
        patch.setattr(Measurer, "measure", lambda *_: 1e-3)
        patch.setattr(
            Measurer, "race", lambda self, points, rounds: [[1e-3] * rounds] * len(points)
        )
        with clnet.load(path, device(), tune=60) as session:
            assert opened and session.stats.tuned == workloads()
            np.testing.assert_allclose(session(X)["y"], expected, atol=1e-4)
    monkeypatch.setattr(Measurer, "open", None)  # whoever measures fails
    with clnet.load(path, device(), tune=60) as session:
        assert session.stats.tuned == workloads()
        np.testing.assert_allclose(session(X)["y"], expected, atol=1e-4)


@pytest.mark.parametrize("slower", [True, False])
def test_what_is_kept_is_not_slower_than_untuned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slower: bool
) -> None:
    """Every layer gains alone; together they make the model slower, or faster."""
    monkeypatch.setattr(Measurer, "open", lambda *_: 1e-3)
    monkeypatch.setattr(Measurer, "measure", lambda *_: 0.5e-3)
    monkeypatch.setattr(
        Measurer, "race", lambda self, points, rounds: [[1e-3] * rounds]
        + [[0.5e-3] * rounds] * (len(points) - 1)
    )  # fmt: skip
    seconds = 2.0 if slower else 0.5
    monkeypatch.setattr(
        "clnet.session.tune.compare", lambda models, _: ([1.0] + [seconds] * (len(models) - 1), 0)
    )
    report = tune(model(tmp_path / "two.onnx"), device(), budget=60, path=tmp_path / "records")
    assert any(t.gain > 1 for t in report.results)
    assert report.gain == (1 if slower else 2)
    last = {r.workload: r for r in store.read(tmp_path / "records")}
    assert any(r.has_gain for r in last.values()) is not slower
    assert bool(report.notes) is slower


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command = [
        sys.executable, "-m", "clnet", "tune", str(model(tmp_path / "two.onnx")),
        "--level", "fast", "--budget", "600", "--device", str(device().index),
        "--report", str(page),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    records = tmp_path / "cache" / "tuning.jsonl"
    while not records.exists() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does; the second layer is due
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130 and "what was found is kept" in err
    assert "x as fast" in out and len(list(store.read(records))) >= 1
    check_page(page.read_text(), heat_maps=2)
