"""Imported networks: which constants are weights, other batches, new last layers, fine-tuning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluate import evaluate
from golden import DATA, needs_data
from harness import device

import clnet
from clnet.errors import InputError, UnsupportedError
from clnet.graph import GraphBuilder
from clnet.images import load_image
from clnet.models.imported import Imported
from clnet.models.layers import Dense, GlobalAveragePool, Softmax
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.conv import Conv
from clnet.ops.elementwise import elementwise
from clnet.ops.expression import Expression
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.layer_normalization import LayerNormalization
from clnet.ops.recurrent import Recurrent
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.transpose import Transpose

RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def small_graph(build: GraphBuilder | None = None):
    """Normalised input, convolution, batch normalisation, slopes, a matrix product with a bias."""
    build = build or GraphBuilder("small")
    x = build.input("x", (1, 2, 4, 4))
    y = build.add(elementwise("Mul"), x, build.constant(random(1, 2, 1, 1), "pixel scale"))
    y = build.add(Conv((1, 1), (0,) * 4, (1, 1), 1), y, build.constant(random(3, 2, 3, 3), "w"),
                  build.constant(random(3)), name="conv")  # fmt: skip
    statistics = [build.constant(np.abs(random(3)) + 1) for _ in range(4)]
    y = build.add(BatchNormalization(), y, *statistics, name="norm")
    y = build.add(elementwise("PRelu"), y, build.constant(random(3, 1, 1)), name="act")
    y = build.add(elementwise("Mul"), y, build.constant(np.float32(0.5)), name="half")
    y = build.add(Reshape((1, 12)), y, name="flat")
    y = build.add(MatMul(), y, build.constant(random(12, 5)), name="product")
    y = build.add(elementwise("Add"), y, build.constant(random(5)), name="sum")
    build.output(y, "y")
    return build.graph


def outputs(net, x: np.ndarray) -> np.ndarray:
    build = GraphBuilder()
    values = {n: build.constant(a) for n, a in net.parameters.items()}
    build.output(net.apply(build, build.input("x", x.shape), values), "y")
    return evaluate(build.graph, {"x": x})["y"]


def test_weights_are_told_from_other_constants() -> None:
    net = Imported(small_graph())
    assert list(net.parameters) == [
        "w", "conv.bias", "norm.scale", "norm.bias", "norm.mean", "norm.variance", "act.slope",
        "product.weight", "sum.bias",
    ]  # fmt: skip
    assert net.frozen == {"norm.mean", "norm.variance"}
    assert (net.input_shape, net.output_shape) == ((2, 4, 4), (5,))


def test_a_recurrent_layer_learns_sample_by_sample() -> None:
    """Which half of a sequence is the louder one: through LayerNormalization and an LSTM."""
    sigmoid, tanh = (Expression.of(f) for f in ("Sigmoid", "Tanh"))
    steps, units = 6, 5
    build = GraphBuilder("recurrent")
    y = build.add(Transpose((1, 0, 2)), build.input("x", (1, steps, 4)))
    scale = build.constant(np.ones(4, np.float32))
    y = build.add(LayerNormalization(), y, scale, build.constant(random(4)), name="norm")
    y = build.add(MatMul(), y, build.constant(random(4, 4 * units)), name="in")
    y = build.add(Reshape((steps, 1, 1, 4, units)), y)
    op = Recurrent("LSTM", (False,), (sigmoid, tanh, tanh))
    y, *_ = build.add(op, y, build.constant(random(1, units, 4, units)), *(None,) * 5, name="lstm")
    y = build.add(Reshape((1, units)), build.add(Slice((steps - 1,), (steps,)), y))
    build.output(build.add(MatMul(), y, build.constant(random(units, 2)), name="out"), "y")
    net = Imported(build.graph)
    names = ["norm.scale", "norm.bias", "in.weight", "lstm.weight", "out.weight"]
    assert list(net.parameters) == names and not net.frozen
    labels = RNG.integers(0, 2, 40)
    x = random(40, steps, 4)
    x[labels == 0, : steps // 2] += 3
    x[labels == 1, steps // 2 :] += 3
    x[:, :, 0] = 1
    with clnet.Trainer(net, optimizer=clnet.optimizers.Adam(0.02), device=device()) as trainer:
        history = trainer.fit(x, labels, 1, 8)
        changed = trainer.state_dict()
    assert history.accuracy[-1] >= 0.9
    assert all(not np.array_equal(changed[n], net.parameters[n]) for n in names)


def test_a_batch_gives_what_single_samples_give() -> None:
    graph = small_graph()
    x = random(3, 2, 4, 4)
    expected = [evaluate(graph, {"x": x[i : i + 1]})["y"][0] for i in range(3)]
    np.testing.assert_allclose(outputs(Imported(graph), x), expected, atol=1e-5)


def test_what_does_not_follow_the_batch_is_named() -> None:
    build = GraphBuilder("turned")
    x = build.input("x", (1, 3, 4))
    y = build.add(Reshape((3, 4)), x, name="joined")
    y = build.add(Transpose((1, 0)), y, name="turned")
    build.output(build.add(Reshape((1, 12)), y, name="back"), "y")
    net = Imported(build.graph)
    assert outputs(net, random(1, 3, 4)).shape == (1, 12)
    with pytest.raises(UnsupportedError, match=r"node turned.*single samples"):
        outputs(net, random(2, 3, 4))


def test_a_new_last_layer_has_other_classes_and_all_else_stays() -> None:
    net = Imported(small_graph())
    net.freeze("w")
    new = net.with_classes(2)
    assert new.output_shape == (2,) and new.frozen == net.frozen
    assert new.parameters["product.weight"].shape == (12, 2)
    assert not new.parameters["sum.bias"].any() and new.parameters["sum.bias"].shape == (2,)
    assert all(
        np.array_equal(net.parameters[n], new.parameters[n])
        for n in net.parameters
        if n not in ("product.weight", "sum.bias")
    )
    assert outputs(new, random(3, 2, 4, 4)).shape == (3, 2)


def test_new_layers_go_behind_a_node() -> None:
    whole = Imported(small_graph())
    whole.freeze("w")
    features = whole.ending_at("act")
    net = clnet.Sequential(
        [features.named("features"), GlobalAveragePool(), Dense(2), Softmax()], (2, 4, 4)
    )
    assert np.array_equal(net.parameters["features.w"], features.parameters["w"])
    assert net.output_shape == (2,) and {"features.norm.mean", "features.w"} <= net.frozen
    np.testing.assert_allclose(outputs(net, random(3, 2, 4, 4)).sum(1), 1, rtol=1e-5)


def test_misused_names_and_graphs() -> None:
    with pytest.raises(InputError, match=r"no node is named 'fc'; the last ones are.*product, sum"):
        Imported(small_graph(), "fc")
    build = GraphBuilder("two")
    graph = small_graph(build)
    build.output(graph.outputs["y"], "z")
    with pytest.raises(InputError, match="which output is to be trained: y, z"):
        Imported(graph)
    build = GraphBuilder("plain")
    build.output(build.add(elementwise("Relu"), build.input("x", (1, 2))), "y")
    with pytest.raises(InputError, match="no layer with weights"):
        Imported(build.graph).with_classes(2)


def test_training_moves_what_is_not_frozen_and_exports(tmp_path: Path) -> None:
    net = Imported(small_graph()).with_classes(3)
    net.freeze("w", "norm.*")
    x, y = random(30, 2, 4, 4), np.arange(30) % 3
    with clnet.Trainer(net, optimizer=clnet.optimizers.Adam(0.01), device=device()) as t:
        t.fit(x, y, 8, 2)
        after = t.state_dict()
        expected = t.predict(x[:5])
        t.export(tmp_path / "net.onnx")
    for name, before in net.parameters.items():
        assert np.array_equal(before, after[name]) == (name in net.frozen), name
    with clnet.load(tmp_path / "net.onnx", device(), input_shapes={"x": (5, 2, 4, 4)}) as session:
        (found,) = session.run([x[:5]]).values()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_gemm_without_transposition_gets_its_outputs_in_columns() -> None:
    build = GraphBuilder("gemm")
    x = build.input("x", (1, 4))
    y = build.add(Gemm(), x, build.constant(random(4, 6)), build.constant(random(6)), name="fc")
    build.output(y, "y")
    new = Imported(build.graph).with_classes(2)
    assert new.parameters["fc.weight"].shape == (4, 2)
    assert outputs(new, random(3, 4)).shape == (3, 2)


@needs_data
@pytest.mark.parametrize(
    ("path", "options", "output"),
    [
        ("models_onnx_mnist8/mnist-8.onnx", {"classes": 3}, (3,)),
        ("models_caffe_lenet/lenet.prototxt",
         {"weights": "models_caffe_lenet/lenet_iter_10000.caffemodel"}, (10,)),
        ("models_mlperf_tiny/pretrainedResnet.tflite", {"classes": 4}, (4,)),
        ("models_ultraface/onnx/version-RFB-320.onnx", {"output": "scores"}, (4420, 2)),
    ],
)  # fmt: skip
def test_real_models_become_networks(path: str, options: dict, output: tuple[int, ...]) -> None:
    if "weights" in options:
        options = {**options, "weights": DATA / options["weights"]}
    if path.endswith("tflite"):
        pytest.importorskip("tflite")
    net = clnet.models.imported(DATA / path, **options)
    assert net.output_shape == output
    build = GraphBuilder()
    values = {n: build.state(a, n) for n, a in net.parameters.items()}
    y = net.apply(build, build.input("x", (2, *net.input_shape)), values)
    assert y.spec.shape == (2, *output)


def photo_task(count: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Crops of two photos: which one is it from?"""
    files = DATA / "images" / "darknet"
    rng = np.random.default_rng(1)
    x, y = [], []
    for label, name in enumerate(("dog.jpg", "person.jpg")):
        photo = load_image(files / name, (3, 300, 400), layout="nchw")
        for _ in range(count):
            top, left = rng.integers(0, 300 - 160), rng.integers(0, 400 - 160)
            crop = photo[:, top : top + 160, left : left + 160]
            rows, columns = (np.linspace(0, 159, s).astype(int) for s in shape[1:])
            x.append(2 * crop[:, rows][:, :, columns] - 1)
            y.append(label)
    return np.stack(x), np.array(y)


@needs_data
def test_a_face_detector_learns_to_tell_two_photos_apart() -> None:
    """UltraFace's features up to a layer in the middle, frozen but for the last of them."""
    pytest.importorskip("PIL")
    path = DATA / "models_ultraface" / "onnx" / "version-RFB-320_simplified.onnx"
    whole = clnet.models.imported(path, output="scores")
    convs = [n for n in whole.parameters if n.startswith("487")]
    assert convs
    features = whole.ending_at(middle(whole))
    net = clnet.Sequential(
        [features.named("features"), GlobalAveragePool(), Dense(2), Softmax()], features.input_shape
    )
    net.freeze("features.*")
    x, y = photo_task(16, net.input_shape)
    xv, yv = (a[[*range(12, 16), *range(28, 32)]] for a in (x, y))
    keep = [*range(12), *range(16, 28)]
    with clnet.Trainer(net, optimizer=clnet.optimizers.Adam(0.02), device=device()) as t:
        history = t.fit(x[keep], y[keep], 8, 8, validation=(xv, yv))
    assert history.validation_accuracy[-1] >= 0.85
    assert history.loss[-1] < history.loss[0]


def middle(net: Imported) -> str:
    """A node whose output is small and deep."""
    for node in net._nodes:
        if node.output.spec.rank == 4 and max(node.output.spec.shape[2:]) <= 20:
            found = node.name
            if isinstance(node.op, Conv) and node.output.spec.shape[1] >= 64:
                return found
    raise AssertionError("no such node")
