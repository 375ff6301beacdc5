"""Real ONNX models give what independent runtimes gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from evaluate import evaluate
from golden import DATA, Golden, assert_near, goldens, needs_data
from harness import device

import clnet
from clnet.importers.onnx import read_onnx

TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}
MNIST = DATA / "models_onnx_mnist8"
PORTRAIT = "models_onnx_openseeface/mnv3_detection_opt.onnx"

pytestmark = needs_data


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("golden", goldens("onnx"), ids=lambda g: g.path.stem)
def test_onnx_model_equals_its_golden(golden: Golden, precision: str) -> None:
    with clnet.load(golden.model, device(), precision) as session:
        golden.check(session(golden.input()), TOLERANCE[precision])


def test_no_golden_is_left_out() -> None:
    """Each format's tests take all of its own: here ONNX's, the others' in importers/."""
    formats = {path.stem.partition("_")[0] for path in (DATA / "golden").iterdir()}
    assert formats == {"caffe", "darknet", "onnx", "tfl"}
    assert len(goldens("*")) == sum(len(goldens(name)) for name in formats)


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("number", range(3))
def test_mnist_equals_its_reference_sets(number: int, precision: str) -> None:
    folder = MNIST / f"test_data_set_{number}"
    with clnet.load(MNIST / "mnist-8.onnx", device(), precision) as session:
        (got,) = session(tensor(folder / "input_0.pb")).values()
    assert_near(got, tensor(folder / "output_0.pb"), TOLERANCE[precision])


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("model", sorted(MNIST.glob("per_layer/*/*.onnx")), ids=lambda p: p.stem)
def test_every_layer_of_mnist(model: Path, precision: str) -> None:
    data = model.parent / "test_data_set_0"
    with clnet.load(model, device(), precision) as session:
        feeds = {i.name: tensor(data / "input_0.pb") for i in session.inputs}
        (got,) = session.run(feeds).values()
    assert_near(got, tensor(data / "output_0.pb"), TOLERANCE[precision])


def test_model_without_golden_equals_the_references_of_its_ops() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (1, 3, 224, 224)).astype(np.float32)
    want = evaluate(read_onnx(DATA / PORTRAIT), {"input": x})
    with clnet.load(DATA / PORTRAIT, device()) as session:
        got = session(x)
    for name, array in want.items():
        assert_near(got[name], array, TOLERANCE["fp32"])


def tensor(path: Path) -> np.ndarray:
    """The array in a serialised TensorProto."""
    proto = onnx.TensorProto()
    proto.ParseFromString(path.read_bytes())
    return np.asarray(onnx.numpy_helper.to_array(proto))
