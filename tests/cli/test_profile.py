"""clnet profile: the tables, the timeline, the page, and what they are computed from."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import onnx
import pytest
from harness import device
from onnx import TensorProto, helper, numpy_helper

import clnet
from benchmarks.models import build
from clnet.cli import main
from clnet.ops.lowering import round_up
from clnet.session.ceilings import measure_ceilings
from clnet.session.profile import Rates, profile


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profile") / "lenet.onnx"
    build("lenet", path)
    return path


def test_layers_kinds_and_timeline_agree(model: Path) -> None:
    with clnet.load(model) as session:
        session.run(np.ones((1, 1, 28, 28), np.float32))
        found = profile(session, runs=3)
    conv, block = found.layers[0], device().info.channel_block
    kind = "Conv 5x5 pooled" if block else "Conv 5x5"
    assert (conv.layer.kind, conv.rates.multiply_adds) == (kind, 6 * 28 * 28 * 25)
    written = 14 * 14 * round_up(6, block) if block else 28 * 28 * 6
    assert conv.layer.nbytes == 4 * (28 * 28 + 6 * 25 + 6 + written)
    assert sum(layer.launches for layer in found.layers) == len(found.timeline)
    assert sum(rates.seconds for _, _, rates in found.kinds()) == pytest.approx(found.busy)
    assert sum(number for _, number, _ in found.kinds()) == len(found.layers)
    ends = [launch.span.end for launch in found.timeline]
    assert ends == sorted(ends) and found.timeline[0].span.start == 0
    assert all(launch.span.seconds > 0 for launch in found.timeline)
    assert found.latency > 0 and len(found.gaps) == len(found.timeline) - 1


def test_rates_are_compared_with_the_nearer_ceiling() -> None:
    ceilings = measure_ceilings(device())
    assert ceilings.multiply_adds > 1e8 and ceilings.bandwidth > 1e8
    compute = Rates(2.0, round(ceilings.multiply_adds), 1)
    memory = Rates(4.0, 1, round(ceilings.bandwidth))
    assert compute.of_roof(ceilings) == pytest.approx(0.5, rel=1e-3)
    assert memory.of_roof(ceilings) == pytest.approx(0.25, rel=1e-3)
    assert compute.gflops == pytest.approx(ceilings.multiply_adds * 1e-9, rel=1e-3)


def test_half_precision_has_a_ceiling_too() -> None:
    assert measure_ceilings(device(), "fp16").multiply_adds > 1e8


def test_the_command_writes_all_forms(model: Path, tmp_path: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    trace, page = tmp_path / "trace.json", tmp_path / "page.html"
    command = ["profile", str(model), "--runs", "2", "--trace", str(trace), "--html", str(page)]
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["launches"] == sum(layer["launches"] for layer in answer["layers"])
    assert answer["layers"][0]["gflops"] > 0 and answer["ceilings"]["gflops"] > 0
    events = [e for e in json.loads(trace.read_text())["traceEvents"] if e["ph"] == "X"]
    assert len(events) == answer["launches"]
    assert all(e["dur"] > 0 and e["args"]["kernel"] for e in events)
    text = page.read_text()
    assert "http" not in text  # it needs nothing else
    svg = ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    with_work = [layer for layer in answer["layers"] if layer["multiply_adds"]]
    assert len([e for e in svg.iter("circle") if e.find("title") is not None]) == len(with_work)


def test_the_command_prints_tables(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(model), "--runs", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["layer", "kind", "kernel"]
    assert any(line.startswith("Gemm ") for line in lines)
    assert any(line.startswith("ceilings") and "GB/s" in line for line in lines)


def test_a_page_that_cannot_be_written_is_one_line(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", str(model), "--runs", "1", "--html", "/nowhere/page.html"]) == 2
    assert "/nowhere/page.html cannot be written" in capsys.readouterr().err


def test_steps_on_the_host_have_their_time(tmp_path: Path) -> None:
    """CLBlast and host steps are timed by the host's clock, in the order of the run."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Relu", ["scores"], ["positive"]),
        helper.make_node("NonMaxSuppression", ["boxes", "positive", "count"], ["kept"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [value(n, TensorProto.FLOAT, s) for n, s in (("boxes", [1, 5, 4]), ("scores", [1, 1, 5]))],
        [value("kept", TensorProto.INT64, None)],
        [numpy_helper.from_array(np.array([3]), "count")],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset), tmp_path / "m.onnx")
    with clnet.load(tmp_path / "m.onnx") as session:
        session.run([np.ones((1, 5, 4), np.float32), np.ones((1, 1, 5), np.float32)])
        found = profile(session, runs=2)
    assert [launch.kernel == "host" for launch in found.timeline] == [False, True]
    first, second = (launch.span for launch in found.timeline)
    assert first.seconds > 0 and second.seconds > 0 and second.start >= first.end
