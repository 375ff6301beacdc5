"""Real TFLite models give what LiteRT gave, and what their twins in other formats give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from golden import DATA, assert_near, needs_data
from harness import device

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

import clnet
from clnet.importers.tflite import read_tflite
from clnet.ops.transpose import Transpose
from clnet.passes.pipeline import optimize

pytestmark = needs_data

GOLDENS = sorted((DATA / "golden").glob("tfl_*.npz"))
TOLERANCE = 1e-4  #: of the largest magnitude
#: What stays of the transpositions between channels last and channels first: at the edges, and
#: around the reshapes that detectors end with.
TRANSPOSES = {
    "models_blazeface/tflite/face_detection_front.tflite": 5,
    "models_mlperf_tiny/vww_96_float.tflite": 1,
    "models_mlperf_tiny/vww_96_int8.tflite": 1,
    "models_mlperf_tiny/kws_ref_model.tflite": 0,
    "models_portrait_seg/prisma/prisma-net.tflite": 1,
    "models_tflite_mediapipe/face_landmark.tflite": 1,
    "models_tflite_coral/mobilenet_v1_0.25_128_quant.tflite": 1,
    "models_ultraface/tflite/version-RFB-320_without_postprocessing.tflite": 9,
}


def fed(data: dict[str, np.ndarray], dtype: str) -> np.ndarray:
    """The input of a golden as README.md of the data folder says."""
    if "x_f32" in data:
        return data["x_f32"]
    image = data["x_u8"][None]
    if dtype == "int8":
        return (image.astype(np.int16) - 128).astype(np.int8)
    if dtype == "uint8":
        return image
    return ((image.astype(np.float32) - data["mean"]) * data["scale"]).astype(np.float32)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda p: p.stem)
def test_model_equals_its_golden(path: Path) -> None:
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    with clnet.load(DATA / str(data["model"]), device()) as session:
        outputs = session(fed(data, session.inputs[0].dtype))
    for i, (name, got) in enumerate(outputs.items()):
        want = data[f"out{i}"].reshape(-1)
        stride = 1
        if "out_names" in data:
            assert name == data["out_names"][i] and got.shape == tuple(data[f"out{i}_shape"])
            stride = int(data[f"out{i}_stride"])
        values = got.reshape(-1)[::stride]
        if got.dtype == np.float32:
            assert_near(values, want, TOLERANCE)
        else:
            assert (np.abs(values.astype(int) - want.astype(int)) <= 1).mean() >= 0.999


@pytest.mark.parametrize("name", TRANSPOSES)
def test_transpositions_are_left_at_the_edges_only(name: str) -> None:
    graph = read_tflite(DATA / name)
    optimize(graph)
    assert sum(isinstance(n.op, Transpose) for n in graph.nodes) <= TRANSPOSES[name]


def test_prisma_net_equals_its_onnx_twin() -> None:
    folder = DATA / "models_portrait_seg/prisma"
    x = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    with clnet.load(folder / "prisma-net.tflite", device()) as session:
        (got,) = session(x).values()
    with clnet.load(folder / "prisma_nchw.onnx", device()) as session:
        (want,) = session(x.transpose(0, 3, 1, 2).copy()).values()
    assert_near(got.reshape(-1), want.reshape(-1), 1e-4)


def test_ultraface_equals_its_onnx_twin() -> None:
    """The weights of the TFLite file are rounded to float16."""
    folder = DATA / "models_ultraface"
    x = np.random.default_rng(0).uniform(-1, 1, (1, 240, 320, 3)).astype(np.float32)
    with clnet.load(
        folder / "tflite/version-RFB-320_without_postprocessing.tflite", device()
    ) as session:
        got = session(x)
    with clnet.load(
        folder / "onnx/version-RFB-320_without_postprocessing.onnx", device()
    ) as session:
        want = session(x.transpose(0, 3, 1, 2).copy())
    for array in want.values():
        (twin,) = [a for a in got.values() if a.shape == array.shape]
        assert_near(twin, array, 1e-3)


def test_blazeface_equals_its_onnx_twin() -> None:
    """ONNX gives 512 and 384 anchors as outputs of their own."""
    folder = DATA / "models_blazeface"
    x = np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    with clnet.load(folder / "tflite/face_detection_front.tflite", device()) as session:
        got = session(x)
    with clnet.load(
        folder / "onnx/face_detection_front_128x128_barracuda.onnx", device()
    ) as session:
        want = session(x if session.inputs[0].shape[3] == 3 else x.transpose(0, 3, 1, 2).copy())
    for array in got.values():
        parts = [a.reshape(-1, array.shape[2]) for a in want.values()
                 if a.shape[-1] == array.shape[2]]  # fmt: skip
        joined = np.concatenate(sorted(parts, key=len, reverse=True))
        assert_near(joined, array[0], 1e-3)
