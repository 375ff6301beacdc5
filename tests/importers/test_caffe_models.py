"""Real Caffe models give what independent runtimes gave; every prototxt is built or refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from golden import DATA, Golden, assert_near, goldens, needs_data
from harness import device

import clnet
from clnet.cli import main
from clnet.errors import ModelError
from clnet.importers.caffe.importer import build_net
from clnet.importers.caffe.text import parse_text
from clnet.importers.caffe.weights import RandomWeights

TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}
LENET = DATA / "models_caffe_lenet"
SQUEEZENET = DATA / "models_squeezenet11"
NANO = DATA / "models_darknet_mbv2_nano"
ULTRAFACE = DATA / "models_ultraface" / "caffe" / "RFB-320.prototxt"

pytestmark = needs_data

#: Where the prototxt is not named as the caffemodel.
NETS = {
    SQUEEZENET / "squeezenet_v1.1_derived_fp16.caffemodel":
        SQUEEZENET / "squeezenet_v1.1_deploy.prototxt",
}  # fmt: skip


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize(
    "golden", [g for g in goldens("caffe") if "lenet" not in g.path.stem], ids=lambda g: g.path.stem
)
def test_caffe_model_equals_its_golden(golden: Golden, precision: str) -> None:
    net = NETS.get(golden.model, golden.model.with_suffix(".prototxt"))
    x = golden.input()
    with clnet.load(net, device(), precision, weights=golden.model) as session:
        golden.check(session(x), TOLERANCE[precision])


def test_ultraface_equals_its_twin_in_onnx() -> None:
    golden = Golden(DATA / "golden" / "onnx_ultraface_RFB-320_without_postprocessing.npz")
    with clnet.load(ULTRAFACE, device()) as session:
        golden.check(session(golden.input()), 1e-4)


@pytest.mark.parametrize(("epsilon", "tolerance"), [("", 1e-3), ("eps: 1e-6", 1e-4)])
def test_mobilenet_yolo_equals_its_twin_in_darknet(
    tmp_path: Path, epsilon: str, tolerance: float
) -> None:
    """The weights are the same, but what each adds to the variance is not: Caffe 1e-5, as long as
    the file says nothing, and Darknet 1e-6."""
    golden = Golden(DATA / "golden" / "darknet_mbv2_nano_voc.npz")
    net = NANO / "caffe" / "MobileNetV2-YOLOv3-Nano-voc.prototxt"
    text = net.read_text().replace("use_global_stats: true", f"use_global_stats: true {epsilon}")
    (tmp_path / "net.prototxt").write_text(text)
    with clnet.load(
        tmp_path / "net.prototxt", device(), weights=net.with_suffix(".caffemodel")
    ) as session:
        got = session(golden.input())
    twins = {"conv_68": "layer69-conv", "conv_78": "layer79-conv"}
    for name, (shape, stride, want) in golden.outputs().items():
        if name in twins:
            assert got[twins[name]].shape == shape
            assert_near(got[twins[name]].reshape(-1)[::stride], want.reshape(-1), tolerance)


def test_lenet_reads_9914_of_10000_digits() -> None:
    images, labels = (
        np.frombuffer(gzip.decompress((DATA / "mnist" / f"t10k-{name}.gz").read_bytes()), np.uint8)
        for name in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    x = images[16:].reshape(10_000, 1, 28, 28) / np.float32(256)
    golden = np.load(DATA / "golden" / "caffe_lenet_mnist.npz")["first256_prob"]
    net, weights = LENET / "lenet.prototxt", LENET / "lenet_iter_10000.caffemodel"
    shapes = {"data": (500, 1, 28, 28)}
    with clnet.load(net, device(), weights=weights, input_shapes=shapes) as session:
        scores = np.concatenate([session(part)["prob"] for part in np.split(x, 20)])
    assert_near(scores[:256], golden, 1e-4)
    assert int((scores.argmax(1) == labels[8:]).sum()) == 9914


def test_squeezenet_names_the_macaw(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "run", str(SQUEEZENET / "squeezenet_v1.1_deploy.prototxt"),
        "--weights", str(SQUEEZENET / "squeezenet_v1.1_derived_fp16.caffemodel"),
        "--shape", "data=1x3x227x227",
        "--image", str(DATA / "images" / "coral" / "parrot.jpg"),
        "--preset", "caffe",
        "--labels", str(DATA / "labels" / "imagenet_synset_words.txt"),
    ]  # fmt: skip
    assert main(arguments) == 0
    answer = capsys.readouterr().out.splitlines()
    assert "macaw" in answer[1]
    assert float(answer[1].split("%")[0]) > 98


#: Why a prototxt cannot be built as it is.
REFUSED = {
    "models_caffe_lenet/lenet_solver.prototxt": "not a Caffe net: it has no layers",
    "models_caffe_lenet/lenet_train_test.prototxt": "the input 'data' has no shape",
}


@pytest.mark.parametrize(
    "name", sorted(str(p.relative_to(DATA)) for p in DATA.rglob("*.prototxt")) or ["none"]
)
def test_every_net_is_built_or_refused_in_one_line(name: str) -> None:
    net = parse_text((DATA / name).read_text())
    if name in REFUSED:
        with pytest.raises(ModelError) as error:
            build_net(net, RandomWeights())
        assert REFUSED[name] in str(error.value) and "\n" not in str(error.value)
        return
    graph = build_net(net, RandomWeights())
    assert graph.outputs and all(v.spec.shape for v in graph.outputs.values())


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("bvlc_alexnet_deploy", {"prob": (10, 1000)}),
        ("bvlc_googlenet_deploy", {"prob": (10, 1000)}),
        ("mobilenet_v2_deploy", {"prob": (1, 1000, 1, 1)}),
        ("mobilenet_ssd_deploy", {"detection_out": (1, 1, 100, 7)}),
    ],
)
def test_shapes_of_known_nets(name: str, outputs: dict[str, tuple[int, ...]]) -> None:
    net = parse_text((DATA / "prototxt_only" / f"{name}.prototxt").read_text())
    graph = build_net(net, RandomWeights())
    assert {n: v.spec.shape for n, v in graph.outputs.items()} == outputs


def test_training_net_is_read_as_when_tested() -> None:
    net = parse_text((LENET / "lenet_train_test.prototxt").read_text())
    graph = build_net(net, RandomWeights(), {"data": (3, 1, 28, 28)})
    assert {n: v.spec.shape for n, v in graph.outputs.items()} == {"ip2": (3, 10)}
