"""Candidates that crash, hang or lie are failures on record, and the tuning goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from harness import candidate_names, check, device
from onnx import TensorProto, helper, numpy_helper
from tuning.bad_op import WORKLOAD

import clnet
from clnet.calls import Candidate
from clnet.ops import Case
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.gemm import Gemm, MatMul
from clnet.session.tune import tune
from clnet.tuning import store
from clnet.tuning.measure import Measurer, MeasuringError
from clnet.tuning.record import TuningRecord
from clnet.tuning.space import Point, Space
from clnet.tuning.tuner import Job, Tuner

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}:{TESTS.parent}")


EXPECTED = {
    "crash": "crashes (signal 6)",
    "hang": "hangs: no answer within 20 s",
    "does_not_compile": "no_such_thing|BUILD_PROGRAM_FAILURE",
    "exhausts_memory": "cannot allocate",
    "wrong": "differs by",
    "leaves_out": "not finite|differs by",
    "not_finite": "not finite",
}


def test_every_failure_is_recorded_and_the_tuning_ends() -> None:
    kept: list[TuningRecord] = []
    job = Job(WORKLOAD, tuple(WORKLOAD.candidates(device().info)))
    with Measurer(device().index, seconds=20) as measurer:
        tuner = Tuner(device(), measurer, "normal", keep=kept.append)
        tuned = tuner.tune_one(job, 600)
    reasons = {p.candidate: reason for p, reason in tuned.failures.items()}
    assert reasons.keys() >= EXPECTED.keys() and not reasons.keys() & {"right", "also_right"}
    for name, words in EXPECTED.items():
        assert any(w in reasons[name] for w in words.split("|")), reasons[name]
    if "wide" in reasons:  # PoCL 3.0's compiler aborts where it has vectors of 512 bits
        assert "PoCL 3.0" in device().info.driver and "crashes" in reasons["wide"]
    assert tuned.point.candidate in ("right", "also_right", "wide")
    (record,) = kept
    assert record.point == tuned.point and record.seconds == tuned.seconds > 0


def test_a_child_that_dies_is_replaced() -> None:
    space = Space(WORKLOAD.candidates(device().info), device().info)
    points = {p.candidate: p for p in space.defaults}
    with Measurer(device().index) as measurer:
        measurer.open(WORKLOAD, points["right"])
        with pytest.raises(MeasuringError, match="signal 6"):
            measurer.measure(points["crash"])
        assert measurer.measure(points["also_right"]) > 0
        samples = measurer.race([points["right"], points["also_right"]], 3)
        assert [len(s) for s in samples] == [3, 3]
        with pytest.raises(MeasuringError, match="no such point"):
            measurer.measure(Point("right", (("X", 1),)))


CASES = [
    pytest.param(case, id=f"{case.op.label}-{i}")
    for op in (Conv, ConvTranspose, Gemm, MatMul)
    for i, case in list(enumerate(op.cases()))[:: 4 if op is Conv else 2]
]


@pytest.mark.parametrize("case", CASES)
def test_points_away_from_the_default_are_right(case: Case) -> None:
    rng = np.random.default_rng(len(str(case)))
    for name in candidate_names(case):

        def vary(candidate: Candidate) -> Candidate:
            space = Space([candidate], device().info)
            points = [p for p in space.points() if p not in space.defaults]
            if not points:
                return candidate
            found = space.candidate(points[rng.integers(len(points))])
            assert found is not None
            return found

        check(case, name, vary=vary)


def model(path: Path, height: int | str = 20) -> Path:
    """A small model of two layers."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=s).astype(np.float32) for s in ((8, 3, 3, 3), (5, 8, 1, 1))]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, height, 24))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 5, height, 24))],
        [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def workloads() -> int:
    """Of such a model: its convolutions, and the move out of blocked channels if there is one."""
    return 3 if device().info.channel_block else 2


def test_a_tuned_model_is_remembered_and_measures_nothing(tmp_path: Path) -> None:
    path = model(tmp_path / "two.onnx")
    x = np.random.default_rng(1).normal(size=(1, 3, 20, 24)).astype(np.float32)
    with clnet.load(path, device()) as session:
        before = session(x)["y"]
    report = tune(path, device(), level="fast", budget=600)
    assert sum(t.trials > 1 for t in report.results) >= 2
    assert (report.jobs, report.already_tuned) == (workloads(), 0) and report.gain > 0
    assert len({r.workload for r in store.read(store.user_records())}) == workloads()
    again = tune(path, device(), level="fast", budget=600)
    assert (again.results, again.already_tuned) == ([], workloads())
    code = (
        "import sys, numpy as np, clnet\n"
        "from clnet.tuning.measure import Measurer\n"
        "Measurer.__init__ = None  # whoever measures fails\n"
        f"session = clnet.load({str(path)!r}, {device().index})\n"
        f"x = np.random.default_rng(1).normal(size=(1, 3, 20, 24)).astype(np.float32)\n"
        "print(session.stats.tuned)\n"
        "np.save(sys.argv[1], session(x)['y'])\n"
    )
    file = tmp_path / "y.npy"
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(workloads())]
    np.testing.assert_allclose(np.load(file), before, atol=1e-4)


def test_where_records_cannot_be_kept_the_tuning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("Read-only file system")

    monkeypatch.setattr(store, "append", refused)
    report = tune(model(tmp_path / "two.onnx"), device(), level="fast", budget=20)
    assert report.notes.count("records cannot be kept: Read-only file system") == 1
    assert len(report.results) == workloads()
