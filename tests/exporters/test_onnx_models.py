"""Real models of every format, written as ONNX, still give what independent runtimes gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from evaluate import evaluate
from exporters.onnx_runner import run_onnx
from golden import DATA, Golden, goldens, needs_data

from clnet.cli import main
from clnet.exporters.onnx import to_onnx
from clnet.graph import Graph
from clnet.importers import read_model
from clnet.importers.onnx import read_model_proto
from clnet.passes.pipeline import simplify

pytestmark = needs_data

#: Where weights are not named as their network.
NETWORKS = {"squeezenet_v1.1_derived_fp16.caffemodel": "squeezenet_v1.1_deploy.prototxt"}
GOLDENS = [
    g
    for prefix in ("caffe", "darknet", "onnx", "tfl")
    for g in goldens(prefix)
    if "lenet" not in g.path.stem  # whose inputs are digits
]
#: One of each format, which clnet reads back.
READ_BACK = ("caffe_mtcnn_det3", "darknet_yoloface-50k", "onnx_blazeface_front", "tfl_kws_dscnn",
             "tfl_vww96_int8")  # fmt: skip


def read(model: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """The graph of a model, as `clnet convert` takes it."""
    if model.suffix == ".tflite":
        pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")
    weights = model if model.name in NETWORKS else None
    graph = read_model(model.with_name(NETWORKS.get(model.name, model.name)), shapes, weights)
    simplify(graph)
    return graph


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda g: g.path.stem)
def test_model_as_onnx_equals_its_golden(golden: Golden) -> None:
    (value,) = read(golden.model).inputs
    feeds = {value.name: golden.input(value.spec.dtype)}
    model = to_onnx(read(golden.model, {value.name: feeds[value.name].shape}))
    results = [run_onnx(model, feeds)]
    if golden.path.stem in READ_BACK:
        results.append(evaluate(read_model_proto(model), feeds))
    for got in results:
        golden.check(got, 1e-4)


def test_a_quantised_model_rounds_as_before(tmp_path: Path) -> None:
    """Its transpositions are gone, and each layer rounds in three nodes."""
    pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")
    source = DATA / "models_mlperf_tiny" / "vww_96_int8.tflite"
    assert main(["convert", str(source), str(tmp_path / "out.onnx")]) == 0
    ops = [n.op.label for n in read_model(tmp_path / "out.onnx").nodes]
    assert ops.count("Transpose") <= 1 and ops.count("Round") > ops.count("Conv")
