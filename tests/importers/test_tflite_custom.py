"""Custom operators of MediaPipe, and the end of TensorFlow's object detectors."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate import evaluate

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

from flatbuffers import flexbuffers
from importers.test_tflite_operators import Interpreter, patches, real
from importers.tflite_models import Op, Tensor, model

from clnet import ModelError, UnsupportedError
from clnet.importers.tflite import read_tflite

ANCHORS, CLASSES = 40, 3
OPTIONS = {
    "max_detections": 6, "num_classes": CLASSES, "max_classes_per_detection": 2,
    "nms_score_threshold": 0.35, "nms_iou_threshold": 0.5, "y_scale": 10.0, "x_scale": 10.0,
    "h_scale": 5.0, "w_scale": 5.0,
}  # fmt: skip


def packed(**options: Any) -> bytes:
    """A FlexBuffers map."""
    build = flexbuffers.Builder()
    with build.Map():
        for name, value in options.items():
            build.Key(name)
            add = {bool: build.Bool, int: build.Int}.get(type(value), build.Float)
            add(value)
    return bytes(build.Finish())


def outputs_of(data: bytes, feeds: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    path = folder / "model.tflite"
    path.write_bytes(data)
    return evaluate(read_tflite(path), feeds)


def detector(options: bytes, folder: Path) -> tuple[bytes, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    feeds = {
        "boxes": rng.normal(size=(1, ANCHORS, 4)).astype(np.float32),
        "scores": rng.random((1, ANCHORS, CLASSES + 1), np.float32),
    }
    anchors = rng.uniform(0.1, 0.9, (ANCHORS, 4)).astype(np.float32)
    count = 12
    tensors = {
        **{n: Tensor(a.shape) for n, a in feeds.items()}, "anchors": Tensor.of(anchors),
        "b": Tensor((1, count, 4)), "c": Tensor((1, count)), "s": Tensor((1, count)),
        "n": Tensor((1,)),
    }  # fmt: skip
    op = Op("TFLite_Detection_PostProcess", ["boxes", "scores", "anchors"], ["b", "c", "s", "n"],
            custom_options=options)  # fmt: skip
    return model(tensors, [op], list(feeds), ["b", "c", "s", "n"]), feeds


@pytest.mark.skipif(Interpreter is None, reason="ai-edge-litert is not installed")
@pytest.mark.parametrize("more", [{}, {"max_classes_per_detection": 1}, {"use_regular_nms": True}])
def test_detections_are_what_litert_says(more: dict[str, Any], tmp_path: Path) -> None:
    data, feeds = detector(packed(**{**OPTIONS, **more}), tmp_path)
    outputs = outputs_of(data, feeds, tmp_path)
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], feeds[detail["name"]])
    interpreter.invoke()
    for detail in interpreter.get_output_details():
        want = interpreter.get_tensor(detail["index"])
        got = outputs[detail["name"]]
        assert got.shape == want.shape
        if more.get("use_regular_nms"):  # the rest of its arrays is left as it was
            got, want = (a[:, :6] if a.ndim > 1 else a for a in (got, want))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_best_boxes_come_first(tmp_path: Path) -> None:
    data, feeds = detector(packed(**OPTIONS), tmp_path)
    outputs = outputs_of(data, feeds, tmp_path)
    count = int(outputs["n"][0])
    best = outputs["s"][0, : 2 * count : 2]
    assert 0 < count <= 6 and (np.diff(best) <= 0).all() and best.min() >= 0.35
    known = feeds["scores"][0, :, 1:]
    assert best[0] == known.max() and outputs["c"][0, 0] == known.max(0).argmax()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (packed(**{**OPTIONS, "num_classes": 9}), "of 9 classes"),
        (packed(max_detections=3), "num_classes is missing"),
        (packed(**{**OPTIONS, "max_detections": 1 << 40}), "detections"),
        (packed(**{**OPTIONS, "x_scale": 0.0}), "must be positive"),
        (b"", "PostProcess"), (b"\xff\xff\xff", "PostProcess"), (b"abcdefghij", "PostProcess"),
        (packed(**OPTIONS)[5:], "PostProcess"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options: bytes, text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=text) as caught:
        outputs_of(*detector(options, tmp_path), tmp_path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("padding", "size"), [(1, (9, 11)), (2, (11, 11))])
def test_transposed_convolution_with_bias(
    padding: int, size: tuple[int, int], tmp_path: Path
) -> None:
    """Scattered pixel by pixel; SAME cuts off the padding of the convolution back."""
    x, w, b = real(1, 5, 5, 2), real(3, 3, 3, 2), real(3)
    stride = 2
    whole = np.zeros((1, 11, 11, 3))
    for i, j in np.ndindex(5, 5):
        part = np.einsum("nc,mhwc->nhwm", x[:, i, j].astype(np.float64), w)
        whole[:, stride * i : stride * i + 3, stride * j : stride * j + 3] += part
    cut = (3 - (5 - 1) % stride - 1) * (padding == 1)
    want = whole[:, cut // 2 : 11 - cut + cut // 2, cut // 2 : 11 - cut + cut // 2] + b
    tensors = {"x": Tensor(x.shape), "w": Tensor.of(w), "b": Tensor.of(b), "y": Tensor(want.shape)}
    op = Op("Convolution2DTransposeBias", ["x", "w", "b"], ["y"],
            custom_options=struct.pack("<3i", padding, stride, stride))  # fmt: skip
    outputs = outputs_of(model(tensors, [op], ["x"], ["y"]), {"x": x}, tmp_path)
    assert size[1] == 11 and outputs["y"].shape == want.shape
    np.testing.assert_allclose(outputs["y"], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("same", [True, False])
def test_max_pool_with_places_and_its_inverse(same: bool, tmp_path: Path) -> None:
    x = real(2, 6, 8, 3)
    y = Tensor((2, 3, 4, 3))
    options = struct.pack("<6i", 1 if same else 2, 2, 2, 2, 2, 0)
    ops = [Op("MaxPoolingWithArgmax2D", ["x"], ["y", "i"], custom_options=options),
           Op("MaxUnpooling2D", ["y", "i"], ["z"], custom_options=options)]  # fmt: skip
    tensors = {"x": Tensor(x.shape), "y": y, "i": y, "z": Tensor(x.shape)}
    outputs = outputs_of(model(tensors, ops, ["x"], ["y", "i", "z"]), {"x": x}, tmp_path)
    windows = patches(x, (2, 2), (2, 2))
    flat = windows.reshape(*windows.shape[:3], 4, 3)
    np.testing.assert_array_equal(outputs["y"], flat.max(3))
    np.testing.assert_allclose(outputs["i"], flat.argmax(3) + 0.1, rtol=1e-5)
    spread = outputs["y"].repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(outputs["z"], np.where(spread == x, x, 0))


def test_places_count_from_the_window_though_it_begins_in_the_padding(tmp_path: Path) -> None:
    x = real(1, 5, 4, 2)
    tensors = {"x": Tensor(x.shape), "y": Tensor((1, 3, 2, 2)), "i": Tensor((1, 3, 2, 2))}
    op = Op("MaxPoolingWithArgmax2D", ["x"], ["y", "i"],
            custom_options=struct.pack("<6i", 1, 2, 2, 3, 3, 0))  # fmt: skip
    outputs = outputs_of(model(tensors, [op], ["x"], ["y", "i"]), {"x": x}, tmp_path)
    windows = patches(x, (3, 3), (2, 2), same=True, value=-9)
    flat = windows.reshape(*windows.shape[:3], 9, 2)
    np.testing.assert_allclose(outputs["i"], flat.argmax(3) + 0.1, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (b"\1\0\0\0", "4 bytes of options"),
        (struct.pack("<6i", 7, 2, 2, 2, 2, 0), "padding 7"),
        (struct.pack("<6i", 1, 0, 2, 2, 2, 0), "must be positive"),
        (struct.pack("<6i", 1, 2, 2, 2, 2, 77), "activation 77"),
    ],
)
def test_wrong_options_of_pools(options: bytes, text: str, tmp_path: Path) -> None:
    tensors = {"x": Tensor((1, 4, 4, 2)), "y": Tensor((1, 2, 2, 2)), "i": Tensor((1, 2, 2, 2))}
    op = Op("MaxPoolingWithArgmax2D", ["x"], ["y", "i"], custom_options=options)
    with pytest.raises((ModelError, UnsupportedError), match=text):
        outputs_of(model(tensors, [op], ["x"], ["y", "i"]), {}, tmp_path)
