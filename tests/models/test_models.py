"""Networks in Python: layers, branches, names, and the standard ones."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate import evaluate

import clnet
from clnet.errors import InputError, ModelError
from clnet.graph import GraphBuilder
from clnet.models.initializers import INITIALIZERS, find_initializer
from clnet.models.layers import (
    Activation,
    Add,
    BatchNorm,
    Branches,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Reshape,
    Residual,
    Softmax,
    Upsample,
)


def outputs(net: clnet.Model, x: np.ndarray) -> np.ndarray:
    build = GraphBuilder()
    values = {n: build.constant(a) for n, a in net.parameters.items()}
    build.output(net.apply(build, build.input("x", x.shape), values), "y")
    return evaluate(build.graph, {"x": x})["y"]


def count(net: clnet.Model) -> int:
    return sum(a.size for n, a in net.parameters.items() if n not in net.frozen)


def test_branches_compute_what_they_say() -> None:
    x = clnet.Input((2, 4, 4))
    y = Conv(2, 1)(x)
    net = clnet.Model(x, Concat()(x + y, MaxPool(1)(y)))
    data = np.random.default_rng(0).standard_normal((3, 2, 4, 4)).astype(np.float32)
    weight, bias = net.parameters["conv1.weight"], net.parameters["conv1.bias"]
    conv = np.einsum("mc,nchw->nmhw", weight[:, :, 0, 0], data) + bias[:, None, None]
    np.testing.assert_allclose(
        outputs(net, data), np.concatenate([data + conv, conv], 1), atol=1e-5
    )


def test_residual_and_branches_are_short_for_that() -> None:
    data = np.random.default_rng(0).standard_normal((2, 3, 5, 5)).astype(np.float32)
    net = clnet.Sequential([Residual([Activation("Relu")])], (3, 5, 5))
    np.testing.assert_allclose(outputs(net, data), data + np.maximum(data, 0))
    net = clnet.Sequential([Branches([Activation("Relu")], [])], (3, 5, 5))
    np.testing.assert_allclose(outputs(net, data), np.concatenate([np.maximum(data, 0), data], 1))


def test_shapes_of_other_layers() -> None:
    layers = [Conv(4, 3, 2, 1), ConvTranspose(3, 2, 2), Upsample(2), GlobalAveragePool()]
    assert clnet.Sequential(layers, (2, 7, 9)).output_shape == (3,)
    layers = [Flatten(), Dense(12), Reshape((3, 2, 2)), Dropout(0.5), BatchNorm()]
    assert clnet.Sequential(layers, (2, 7)).output_shape == (3, 2, 2)


def test_names_count_layers_or_are_given() -> None:
    net = clnet.Sequential([Dense(3), Dense(3).named("head"), Dense(2)], (4,))
    assert [n for n in net.parameters if "weight" in n] == [
        "dense1.weight", "head.weight", "dense2.weight",
    ]  # fmt: skip
    with pytest.raises(InputError, match="two layers are named 'a'"):
        clnet.Sequential([Dense(3).named("a"), Dense(3).named("a")], (4,))
    with pytest.raises(InputError, match=r"cannot be named 'a\.b'"):
        Dense(3).named("a.b")


def test_a_network_is_a_layer_and_keeps_its_weights() -> None:
    inner = clnet.Sequential([Dense(3).named("first"), Dense(3)], (4,), seed=5)
    inner.freeze("first.*")
    outer = clnet.Sequential([inner.named("body"), Dense(2)], (4,), seed=1)
    assert np.array_equal(outer.parameters["body.first.weight"], inner.parameters["first.weight"])
    assert outer.frozen == {"body.first.weight", "body.first.bias"}
    data = np.ones((2, 4), np.float32)
    assert outputs(outer, data).shape == (2, 2)


def test_freezing_is_by_name() -> None:
    net = clnet.Sequential([Conv(2, 3), BatchNorm(), Flatten(), Dense(2)], (1, 5, 5))
    assert net.frozen == {"batchnorm1.mean", "batchnorm1.variance"}
    net.freeze("conv1.*", "*.bias")
    assert "dense1.bias" in net.frozen and "dense1.weight" not in net.frozen
    net.unfreeze("*")
    assert net.frozen == {"batchnorm1.mean", "batchnorm1.variance"}
    with pytest.raises(InputError, match="no parameter is named like 'convolution"):
        net.freeze("convolution*")


def test_weights_can_be_put_in() -> None:
    first, second = (clnet.Sequential([Dense(3)], (4,), seed=s) for s in (1, 2))
    second.load_state_dict(first.parameters)
    assert np.array_equal(first.parameters["dense1.weight"], second.parameters["dense1.weight"])
    with pytest.raises(InputError, match=r"lack dense1\.bias"):
        second.load_state_dict({"dense1.weight": first.parameters["dense1.weight"]})
    with pytest.raises(InputError, match=r"\[1\] in the weights, \[3\] in the network"):
        second.load_state_dict({**first.parameters, "dense1.bias": np.zeros(1)})


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([Conv(4, 3, groups=3)], (4, 5, 5), "conv1.*4 channels and 4 filters in 3 groups"),
        ([Conv(2, (3, 3, 3))], (4, 5, 5), r"\[3, 3, 3\] for 2 spatial dimensions"),
        ([Conv(2, 9)], (4, 5, 5), "conv1"),
        ([MaxPool(2)], (4,), "maxpool1.*not.*N, C"),
        ([Dense(3)], (4, 5), "dense1.*put Flatten before"),
        ([Residual([Conv(2, 1)])], (4, 5, 5), r"add1.*a sum of"),
    ],
)
def test_misfits_are_named(layers: list, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises((ModelError, InputError), match=message):
        clnet.Sequential(layers, shape)


def test_a_network_reads_its_own_input_alone() -> None:
    x, other = clnet.Input((3,)), clnet.Input((3,))
    with pytest.raises(InputError, match="an Input other than its own"):
        clnet.Model(x, Add()(x, Dense(3)(other)))
    with pytest.raises(InputError, match="no Tensor"):
        Dense(3)(np.zeros(3))


@pytest.mark.parametrize(
    ("make", "weights", "output"),
    [  # as published, or as torchvision counts them
        (lambda: clnet.models.vgg(depth=11), 132_863_336, (1000,)),
        (lambda: clnet.models.vgg((3, 32, 32), 10, 13, batch_norm=True, units=512), None, (10,)),
        (lambda: clnet.models.resnet(depth=18), 11_689_512, (1000,)),
        (lambda: clnet.models.resnet(depth=50), 25_557_032, (1000,)),
        (lambda: clnet.models.mobilenet_v2(), 3_504_872, (1000,)),
        (lambda: clnet.models.mobilenet_v2((3, 32, 32), 10, width=0.5), None, (10,)),
        (lambda: clnet.models.unet((1, 32, 48), base=64), 31_030_658, (2, 32, 48)),
        (lambda: clnet.models.unet((1, 32, 48), 1, base=4, depth=2, batch_norm=True), None,
         (1, 32, 48)),
    ],
)  # fmt: skip
def test_standard_networks_have_the_weights_of_the_articles(make, weights, output) -> None:
    net = make()
    assert net.output_shape == output
    assert weights is None or count(net) == weights


def test_networks_that_there_are_not() -> None:
    for make in (lambda: clnet.models.vgg(depth=12), lambda: clnet.models.resnet(depth=12),
                 lambda: clnet.models.unet((1, 30, 48))):  # fmt: skip
        with pytest.raises(InputError):
            make()


def test_the_mnist_cnn_is_tanh_pooling_and_softmax() -> None:
    net = clnet.models.mnist_cnn(maps=(4, 8), units=(20,))
    assert [t.layer.kind for t in net._names] == [
        "conv", "activation", "maxpool", "conv", "activation", "maxpool", "flatten", "dense",
        "activation", "dense", "softmax",
    ]  # fmt: skip
    assert net.parameters["dense1.weight"].shape == (20, 128)


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"zeros", "ones"}))
def test_initializers_keep_the_scale(name: str) -> None:
    shape = (64, 32, 3, 3)
    made = find_initializer(name)(np.random.default_rng(0), shape)
    assert made.shape == shape and made.dtype == np.float32
    gain = {"he": 2, "he_normal": 2, "lecun": 1, "glorot": 2 * 32 / 96, "orthogonal": 1}[name]
    variance = made.var() * 32 * 9
    assert variance == pytest.approx(gain, rel=0.05)
    if name == "orthogonal":
        rows = made.reshape(64, -1)
        np.testing.assert_allclose(rows @ rows.T, np.eye(64), atol=1e-5)
    if name in ("he", "lecun", "glorot"):
        assert np.abs(made).max() <= np.sqrt(3 * gain / (32 * 9)) + 1e-6


def test_a_softmax_ends_classifiers() -> None:
    assert isinstance(list(clnet.models.lenet()._names)[-1].layer, Softmax)
