"""Real TFLite models give what LiteRT gave, and what their twins in other formats give."""

from __future__ import annotations

import numpy as np
import pytest
from golden import DATA, Golden, assert_near, goldens, needs_data
from harness import device

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

import clnet
from clnet.importers.tflite import read_tflite
from clnet.ops.transpose import Transpose
from clnet.passes.pipeline import optimize

pytestmark = needs_data

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


@pytest.mark.parametrize("golden", goldens("tfl"), ids=lambda g: g.path.stem)
def test_model_equals_its_golden(golden: Golden) -> None:
    with clnet.load(golden.model, device()) as session:
        golden.check(session(golden.input(session.inputs[0].dtype)), TOLERANCE)


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
