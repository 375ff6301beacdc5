"""CLBlast's own parameters: the spaces, the records, and products under them."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from harness import device
from onnx import TensorProto, helper
from tuning.bad_clblast import WORKLOAD

from clnet.cli import main
from clnet.device_info import DeviceInfo
from clnet.runtime import blas
from clnet.session.tune_blas import tune_blas
from clnet.tuning import clblast, store
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.clblast_tuner import ClblastMeasurer, ClblastTuner, descend_again
from clnet.tuning.record import DeviceKey, TuningRecord, WorkloadKey
from clnet.tuning.space import Point, Space
from clnet.tuning.tuner import Job

pytestmark = pytest.mark.skipif(not blas.available(), reason="pyclblast is not installed")

TESTS = Path(__file__).parents[1]
CPU = DeviceInfo(
    "a cpu", vector_width=16, max_work_group_size=4096, max_work_item_sizes=(4096,) * 3,
    local_memory=1 << 20, blas=True,
)  # fmt: skip
BOARD = DeviceInfo("a small gpu", kind="gpu", local_memory=16384, fp16=True, blas=True)
BEST = {
    "MWG": 64, "NWG": 64, "KWG": 32, "MDIMC": 16, "NDIMC": 16, "MDIMA": 8, "NDIMB": 16, "KWI": 2,
    "VWM": 1, "VWN": 1, "STRM": 1, "STRN": 0, "SA": 0, "SB": 0, "GEMMK": 0, "KREG": 1,
}  # fmt: skip
DIRECT = {
    "WGD": 16, "MDIMCD": 8, "NDIMCD": 8, "MDIMAD": 8, "NDIMBD": 8, "KWID": 2, "VWMD": 2, "VWND": 2,
    "PADA": 1, "PADB": 0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}:{TESTS.parent}")


def space_of(kernel: str, info: DeviceInfo, dtype: str = "float32") -> Space:
    return Space(clblast.workload_of(kernel, dtype).candidates(info), info)


def divides(small: int, large: int) -> bool:
    return large % small == 0


def obeys_xgemm(v: dict[str, int], info: DeviceInfo, size: int) -> bool:
    """CLBlast's constraints, as its documentation of tuning lists them."""
    rules = [
        divides(v["KWI"], v["KWG"]),
        divides(v["MDIMC"] * v["VWM"], v["MWG"]), divides(v["NDIMC"] * v["VWN"], v["NWG"]),
        divides(v["MDIMA"] * v["VWM"], v["MWG"]), divides(v["NDIMB"] * v["VWN"], v["NWG"]),
        v["MDIMC"] * v["NDIMC"] <= info.max_work_group_size,
        size * v["KWG"] * (v["SA"] * v["MWG"] + v["SB"] * v["NWG"]) <= info.local_memory,
    ]  # fmt: skip
    if v["GEMMK"] == 0:
        rules += [
            divides(v["MDIMA"], v["MDIMC"] * v["NDIMC"])
            and divides(v["MDIMC"] * v["NDIMC"] // v["MDIMA"], v["KWG"]),
            divides(v["NDIMB"], v["MDIMC"] * v["NDIMC"])
            and divides(v["MDIMC"] * v["NDIMC"] // v["NDIMB"], v["KWG"]),
            v["KREG"] == 1,
        ]
    else:
        rules += [divides(v["VWN"], v["KREG"]), v["MDIMA"] == v["MDIMC"], v["SA"] == v["SB"] == 0]
    return all(rules)


def obeys_direct(v: dict[str, int], info: DeviceInfo, size: int) -> bool:
    tile, items = v["WGD"], v["MDIMCD"] * v["NDIMCD"]
    return all([
        divides(v["KWID"], tile),
        divides(v["MDIMCD"] * v["VWMD"], tile), divides(v["NDIMCD"] * v["VWND"], tile),
        divides(v["MDIMAD"] * v["VWMD"], tile), divides(v["NDIMBD"] * v["VWND"], tile),
        divides(v["MDIMAD"], items) and divides(items // v["MDIMAD"], tile),
        divides(v["NDIMBD"], items) and divides(items // v["NDIMBD"], tile),
        items <= info.max_work_group_size,
        size * (tile * (tile + v["PADA"]) + tile * (tile + v["PADB"])) <= info.local_memory,
    ])  # fmt: skip


def obeys_rot(v: dict[str, int], info: DeviceInfo, size: int) -> bool:
    return all([
        divides(v["VW3"], v["WPT3"]), v["WGS3"] >= v["WPT3"], v["WGS3"] <= info.max_work_group_size,
        size * (v["WGS3"] * v["WPT3"] + v["WPT3"]) <= info.local_memory,
    ])  # fmt: skip


OBEYS = {"Xgemm": obeys_xgemm, "XgemmDirect": obeys_direct, "XgemvFastRot": obeys_rot}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("info", [CPU, BOARD], ids=lambda i: i.name)
@pytest.mark.parametrize("kernel", OBEYS)
def test_every_point_obeys_the_rules(kernel: str, info: DeviceInfo, dtype: str) -> None:
    space, rng = space_of(kernel, info, dtype), random.Random(0)
    found = 0
    for _ in range(60_000):
        name = rng.choice([n for n in space.options if n != clblast.UNTUNED])
        point = Point.of(name, {k: rng.choice(v) for k, v in space.options[name].items()})
        if space.candidate(point) is not None:
            found += 1
            assert OBEYS[kernel](dict(point.values), info, 2 if dtype == "float16" else 4), point
    assert found > 50


@pytest.mark.parametrize(
    "info",
    [*(replace(CPU, name=f"{w} floats", vector_width=w) for w in (1, 2, 4, 8, 16)), BOARD,
     DeviceInfo(blas=True)],
    ids=lambda i: i.name,
)  # fmt: skip
@pytest.mark.parametrize("kernel", clblast.TIMED)
def test_searches_start_from_points_that_fit(kernel: str, info: DeviceInfo) -> None:
    space = space_of(kernel, info)
    assert space.defaults[0].candidate == clblast.UNTUNED
    assert len(space.defaults) == (3 if kernel == "Xgemm" else 2)
    assert all(space.candidate(p) is not None for p in space.defaults)


@pytest.mark.parametrize("kernel", clblast.TIMED)
def test_what_is_timed_fits_into_its_buffers(kernel: str) -> None:
    workload = clblast.workload_of(kernel, "float32")
    room = [s.size for s in (*workload.inputs, *workload.outputs) if s is not None]
    for problem in clblast.TIMED[kernel]:
        assert all(math.prod(s) <= n for s, n in zip(problem.shapes, room, strict=True))


def test_the_best_known_is_inside() -> None:
    assert space_of("Xgemm", CPU).candidate(Point.of("tiles", BEST)) is not None
    assert space_of("XgemmDirect", CPU).candidate(Point.of("direct", DIRECT)) is not None


@pytest.mark.parametrize(
    "point",
    [
        Point.of("tiles", {**BEST, "MWG": 48}),
        Point.of("tiles", {**BEST, "VWM": 8}),
        Point.of("tiles", {**BEST, "KWG": 16}),
        Point.of("tiles", {k: v for k, v in BEST.items() if k != "SB"}),
        Point.of("tiles", {**BEST, "MORE": 1}),
        Point.of("tiles", {**BEST, "STRN": True + 1}),
        Point.of("registers", {**BEST, "GEMMK": 1, "MDIMA": 16, "KWG": 1, "KWI": 1, "STRM": 0,
                               "NWG": 128}),  # CLBlast allows it, and computes nonsense
        Point.of("nothing", BEST),
    ],
    ids=range(8),
)  # fmt: skip
def test_what_does_not_fit_is_no_candidate(point: Point) -> None:
    assert space_of("Xgemm", CPU).candidate(point) is None


def record(kernel: str, point: Point, info: DeviceInfo) -> TuningRecord:
    workload = clblast.workload_of(kernel, "float32")
    return TuningRecord(
        WorkloadKey.of(workload), DeviceKey.of(info), blas.version(), point,
        1e-3, 1e-5, 2e-3, "2026-11-21", "0.1.0",
    )  # fmt: skip


def test_records_say_what_they_are_about(tmp_path: Path) -> None:
    made = record("Xgemm", Point.of("tiles", BEST), CPU)
    assert (made.workload.op, made.workload.attributes) == ("CLBlast:Xgemm", "float32")
    assert made.source.startswith("pyclblast ")
    store.append(tmp_path / "records.jsonl", made)
    assert list(store.read(tmp_path / "records.jsonl")) == [made]
    change = blas.Override.of("Xgemm", "float32", BEST)
    assert clblast.overrides(RecordedChoice(CPU, [made])) == (change,)


GOOD = record("Xgemm", Point.of("tiles", BEST), CPU) if blas.available() else None


@pytest.mark.parametrize(
    "change",
    [
        {"point": Point.of("tiles", {**BEST, "MWG": 1 << 30})},
        {"point": Point.of("tiles", {**BEST, "NWG": -64})},
        {"point": Point.of("tiles", {**BEST, "KWG": 0})},
        {"point": Point.of("tiles", {**BEST, "INJECTED": 1})},
        {"point": Point("tiles")},
        {"point": Point("untuned")},
        {"point": Point.of("untuned", BEST)},
        {"source": "pyclblast 0.9 libclblast.so.1.4"},
        {"device": DeviceKey("another", "", "", 1)},
    ],
    ids=range(9),
)
def test_damaged_and_stale_records_override_nothing(change: dict[str, object]) -> None:
    assert GOOD is not None
    damaged = replace(GOOD, **change)  # type: ignore[arg-type]
    assert clblast.overrides(RecordedChoice(CPU, [damaged])) == ()


def test_where_there_is_no_blas_nothing_is_overridden() -> None:
    assert GOOD is not None
    assert clblast.overrides(RecordedChoice(replace(CPU, blas=False), [GOOD])) == ()


SCRIPT = """
import sys
import clnet
from harness import candidate_names, check, device
from clnet.ops.gemm import Gemm, MatMul
from clnet.runtime import blas
from clnet.tuning.clblast import workload_of
from clnet.tuning.clblast_bench import ClblastBench

cl_device = device().cl_device
assert not blas.is_overridden(cl_device, "Xgemm", "float32")
clnet.load(sys.argv[1], device()).close()
for kernel in sys.argv[2:]:
    assert blas.is_overridden(cl_device, kernel, "float32"), kernel
done = 0
for op in (Gemm, MatMul):
    for case in op.cases():
        for name in candidate_names(case):
            if name.startswith("clblast"):
                check(case, name)
                done += 1
for kernel in ("GemmRoutine", "XgemvFast", "Xaxpy"):  # whatever is in force
    ClblastBench(device(), workload_of(kernel, "float32")).solve_all()
print(done)
"""


def model(path: Path) -> Path:
    shapes = {"x": (3, 5), "y": (3, 5)}
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "one", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.mark.parametrize("smallest_indirect", [1, 1024], ids=["indirect", "direct"])
def test_a_fresh_process_computes_rightly_under_the_records(
    tmp_path: Path, smallest_indirect: int
) -> None:
    points = {
        "Xgemm": Point.of("tiles", BEST),
        "XgemmDirect": Point.of("direct", DIRECT),
        "GemmRoutine": Point.of("threshold", {"XGEMM_MIN_INDIRECT_SIZE": smallest_indirect}),
        "Xgemv": Point.of("any", {"WGS1": 32, "WPT1": 4}),
        "XgemvFast": Point.of("fast", {"WGS2": 16, "WPT2": 1, "VW2": 1}),
        "XgemvFastRot": Point.of("fast", {"WGS3": 32, "WPT3": 16, "VW3": 8}),
        "Xaxpy": Point.of("vectors", {"WGS": 128, "WPT": 2, "VW": 8}),
    }
    if any(space_of(k, device().info).candidate(p) is None for k, p in points.items()):
        pytest.skip("the device is too small for these parameters")
    for kernel, point in points.items():
        store.append(store.user_records(), record(kernel, point, device().info))
    command = [sys.executable, "-c", SCRIPT, str(model(tmp_path / "one.onnx")), *points]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 10


REASONS = {
    "incomplete": "Missing override parameter",
    "unsound": "differs by|crashes|CL_INVALID_WORK|hangs",
    "does_not_compile": "BUILD_PROGRAM_FAILURE|compilation|crashes",
}


def test_failures_are_recorded_and_the_search_goes_on() -> None:
    kept: list[TuningRecord] = []
    job = Job(WORKLOAD, tuple(WORKLOAD.candidates(device().info)))
    with ClblastMeasurer(device().index, seconds=30) as measurer:
        tuned = ClblastTuner(device(), measurer, "normal", keep=kept.append).tune_one(job, 300)
    reasons = {p.candidate: reason for p, reason in tuned.failures.items()}
    assert reasons.keys() == REASONS.keys()
    for name, words in REASONS.items():
        assert any(w in reasons[name] for w in words.split("|")), reasons[name]
    assert tuned.point.candidate in ("right", clblast.UNTUNED)
    assert [r.point for r in kept] == [tuned.point]


def test_a_kernel_is_tuned_once_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clblast, "TIMED", {"XgemvFast": clblast.TIMED["XgemvFast"]})
    monkeypatch.setattr("clnet.session.tune_blas.board_records", lambda: iter(()))
    report = tune_blas(device(), budget=60, level="fast")
    (tuned,) = report.results
    assert (tuned.trials > 1, report.already_tuned) == (True, 0)
    (kept,) = store.read(store.user_records())
    assert kept.workload.op == "CLBlast:XgemvFast" and kept.default_seconds > 0
    again = tune_blas(device(), budget=60, level="fast")
    assert (again.results, again.already_tuned) == ([], 1)


def test_the_search_leaves_local_optima_and_ends_with_the_space() -> None:
    space = space_of("XgemvFastRot", BOARD)
    points = [p for p in space.points() if p.candidate == "fast"]
    best = next(p for p in points if dict(p.values) == {"WGS3": 128, "WPT3": 1, "VW3": 1})

    def seconds(point: Point) -> float:  # the best lies alone, far from where descents end
        if point.candidate == clblast.UNTUNED:
            return 9.0
        return 2.5 if point == best else 5 - dict(point.values)["WPT3"] / 32

    tried, search = [], descend_again(space, [], random.Random(0))
    with pytest.raises(StopIteration):
        point = next(search)
        while True:
            tried.append(point)
            point = search.send(seconds(point))
    assert len(tried) == len(set(tried)) == len(points) + 1
    assert min(tried, key=seconds) == best


def test_something_must_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune"]) == 2
    assert "--blas" in capsys.readouterr().err
