"""Caffe's solvers and nets and Darknet's cfgs as they are: what is trained, and how."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from golden import DATA, needs_data
from harness import device

import clnet
from clnet.errors import ModelError, UnsupportedError
from clnet.importers.caffe.solver import read_solver
from clnet.importers.darknet.training import read_training_cfg
from clnet.models.recipe import caffe_recipe, caffe_shape, darknet_recipe, darknet_shape

SOLVER = """net: "some/where/net.prototxt" base_lr: 0.1 lr_policy: "POLICY" max_iter: 30
gamma: 0.5 stepsize: 10 power: 2 stepvalue: 5 stepvalue: 20 momentum: 0.9 weight_decay: 0.004
"""
NET = """name: "n"
layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.5 mean_value: 1 mirror: true } data_param { batch_size: 3 } }
layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TEST } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" param { lr_mult: 1 decay_mult: 2 }
  param { lr_mult: 2 decay_mult: 0 } convolution_param { num_output: 4 kernel_size: 3
  weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.25 } } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "o" type: "Dropout" bottom: "c" top: "c" dropout_param { dropout_ratio: 0.25 } }
layer { name: "i" type: "InnerProduct" bottom: "c" top: "i" param { lr_mult: 0 }
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "a" type: "Accuracy" bottom: "i" bottom: "label" top: "a" include { phase: TEST } }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "i" bottom: "label" top: "l" }
"""
CFG = """[net]
batch=6
subdivisions=2
height=6
width=6
channels=1
learning_rate=0.1
policy=POLICY
momentum=0.5
decay=0.001
max_batches=40
steps=10,20
scales=.1,.5
gamma=.9
step=5
scale=.5
power=2
OPTIONS
[convolutional]
batch_normalize=1
filters=3
size=3
activation=leaky
[maxpool]
size=2
stride=2
[dropout]
probability=.25
[connected]
output=2
activation=linear
[softmax]
[cost]
type=sse
"""


@pytest.fixture
def caffe(tmp_path: Path) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER.replace("POLICY", "step"))
    return tmp_path / "solver.prototxt"


def cfg(tmp_path: Path, policy: str = "constant", options: str = "") -> Path:
    path = tmp_path / "net.cfg"
    path.write_text(CFG.replace("POLICY", policy).replace("OPTIONS", options))
    return path


def data(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 36)
    x = rng.standard_normal((2, *shape))[y] + 0.2 * rng.standard_normal((36, *shape))
    return x.astype(np.float32), y


def test_a_caffe_solver_is_taken_as_it_is(caffe: Path) -> None:
    assert caffe_shape(caffe) is None
    recipe = caffe_recipe(caffe, (1, 6, 6))
    assert (recipe.loss, recipe.batch_size, recipe.iterations) == ("cross_entropy", 3, 30)
    assert recipe.epochs(36) == 3
    assert recipe.normalization.scale == (0.5,) and recipe.normalization.mean == (1.0,)
    assert recipe.augmentation == clnet.Augmentation(flip=True)
    weights = recipe.net.parameters
    assert np.abs(weights["c.weight"]).max() <= np.sqrt(3 / 9) and (weights["c.bias"] == 0.25).all()
    assert 0.05 < weights["i.weight"].std() < 0.15
    optimizer = recipe.optimizer
    assert optimizer.of("c.weight").weight_decay == pytest.approx(0.008)
    assert (optimizer.of("c.bias").rate_factor, optimizer.of("c.bias").weight_decay) == (2, 0)
    assert "i.weight" in recipe.net.frozen and "i.bias" not in recipe.net.frozen
    assert optimizer.of("BatchNorm 'b'.scale").rate_factor == 0


def test_the_net_alone_trains_too(caffe: Path) -> None:
    recipe = caffe_recipe(caffe.with_name("net.prototxt"), (1, 6, 6))
    assert recipe.iterations == 0 and recipe.batch_size == 3


def test_a_caffe_net_learns(caffe: Path) -> None:
    recipe = caffe_recipe(caffe, (1, 6, 6))
    recipe.net.unfreeze("i.weight")
    x, y = data((1, 6, 6))
    with clnet.Trainer(recipe.net, recipe.loss, recipe.optimizer, device()) as t:
        history = t.fit(x, y, recipe.batch_size, 8)
        after = t.state_dict()
    assert history.loss[-1] < 0.5 * history.loss[0]
    assert not np.array_equal(after["c.weight"], recipe.net.parameters["c.weight"])


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_solver_types_step_as_caffe_does(kind: str) -> None:
    """A single weight with loss w²/2 (mse of one output), against Caffe's formulas in float64."""
    from clnet.models.layers import Dense
    from clnet.training.caffe import CaffeSolver

    rate, mu, mu2, decay, delta = 0.1, 0.9, 0.99, 0.01, 1e-2
    solver = CaffeSolver(kind, rate, mu, mu2, 0.95, delta, decay, gradient_factor=0.5,
                         multipliers={"dense1.weight": (0.5, 2.0)})  # fmt: skip
    net = clnet.Sequential([Dense(1, bias=False)], (1,))
    net.parameters["dense1.weight"][:] = 0.7
    w, h, m = 0.7, 0.0, 0.0
    for t in range(1, 5):
        g, lr = w + 2 * decay * w, 0.5 * rate
        if kind == "SGD":
            m = mu * m + lr * g
            w -= m
        elif kind == "Nesterov":
            old, m = m, mu * m + lr * g
            w -= (1 + mu) * m - mu * old
        elif kind == "AdaGrad":
            h += g * g
            w -= lr * g / (np.sqrt(h) + delta)
        elif kind == "RMSProp":
            h = 0.95 * h + 0.05 * g * g
            w -= lr * g / (np.sqrt(h) + delta)
        elif kind == "AdaDelta":
            h = mu * h + (1 - mu) * g * g
            moved = g * np.sqrt((m + delta) / (h + delta))
            m = mu * m + (1 - mu) * moved**2
            w -= lr * moved
        else:
            m, h = mu * m + (1 - mu) * g, mu2 * h + (1 - mu2) * g * g
            w -= lr * np.sqrt(1 - mu2**t) / (1 - mu**t) * m / (np.sqrt(h) + delta)
    with clnet.Trainer(net, "mse", solver, device()) as t:
        t.fit(np.ones((4, 1)), np.zeros((4, 1)))
        assert t.state_dict()["dense1.weight"].item() == pytest.approx(w, rel=1e-5)


def test_a_cfg_that_ends_in_an_average_learns(tmp_path: Path) -> None:
    path = cfg(tmp_path)
    layers = path.read_text().replace("[connected]\noutput=2", "[convolutional]\nfilters=2\nsize=1")
    path.write_text(layers.replace("[softmax]", "[avgpool]\n[softmax]\ngroups=1\ntemperature=3"))
    recipe = darknet_recipe(path)
    x, y = data((1, 6, 6))
    with clnet.Trainer(recipe.net, recipe.loss, recipe.optimizer, device()) as t:
        history = t.fit(x, y, recipe.batch_size, 10)
    assert history.loss[-1] < 0.8 * history.loss[0]


@pytest.mark.parametrize(
    ("policy", "rates"),
    [
        ("fixed", {0: 0.1, 25: 0.1}),
        ("step", {9: 0.1, 10: 0.05, 29: 0.025}),
        ("exp", {0: 0.1, 3: 0.0125}),
        ("inv", {2: 0.1 * 2**-2}),
        ("multistep", {4: 0.1, 5: 0.05, 20: 0.025}),
        ("poly", {15: 0.1 / 4}),
        ("sigmoid", {10: 0.05}),
    ],
)
def test_caffe_policies(tmp_path: Path, policy: str, rates: dict[int, float]) -> None:
    (tmp_path / "s.prototxt").write_text(SOLVER.replace("POLICY", policy))
    solver = read_solver(tmp_path / "s.prototxt")
    assert {i: solver.rate(i) for i in rates} == pytest.approx(rates)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("", ""), "the net .* is not there"),
        (("POLICY", "guess"), "lr_policy 'guess' is none of"),
        (("max_iter: 30", ""), "max_iter is missing"),
        (('net: "some/where/net.prototxt"', ""), "it names no net"),
        (("gamma", 'type: "Best" gamma'), "'Best' is none of SGD"),
    ],
)
def test_bad_solvers_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "s.prototxt"
    path.write_text(SOLVER.replace(*change).replace("POLICY", "fixed"))
    with pytest.raises(ModelError, match=message) as caught:
        caffe_recipe(path, (1, 6, 6))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("SoftmaxWithLoss", "HingeLoss"), "a 'HingeLoss'; known are SoftmaxWithLoss"),
        (('type: "Data"', 'type: "Power"'), "no data layer"),
        (('"xavier"', '"best"'), "a filler 'best'"),
        (('layer { name: "l"', 'layer { name: "m" type: "EuclideanLoss" bottom: "i" } layer {'
          ' name: "l"'), "2 losses"),
    ],
)  # fmt: skip
def test_bad_nets_are_named(caffe: Path, change: tuple[str, str], message: str) -> None:
    path = caffe.with_name("net.prototxt")
    path.write_text(NET.replace(*change))
    with pytest.raises(ModelError, match=message):
        caffe_recipe(path, (1, 6, 6))


def test_a_darknet_cfg_is_taken_as_it_is(tmp_path: Path) -> None:
    path = cfg(tmp_path, options="angle=7")
    assert darknet_shape(path) == (1, 6, 6)
    recipe = darknet_recipe(path)
    assert (recipe.loss, recipe.batch_size, recipe.iterations) == ("cross_entropy", 6, 40)
    assert recipe.optimizer.momentum == 0.5 and recipe.optimizer.weight_decay == 0.001
    assert recipe.optimizer.of("conv_0.bias").weight_decay == 0
    assert recipe.optimizer.of("conv_0.weight").weight_decay == 0.001
    assert recipe.augmentation == clnet.Augmentation(rotation=7)
    weights = recipe.net.parameters
    assert np.abs(weights["conv_0.weight"]).max() <= np.sqrt(2 / 9)
    assert {"conv_0.mean", "conv_0.variance"} == recipe.net.frozen
    adam = darknet_recipe(cfg(tmp_path, options="adam=1\nB1=.8")).optimizer
    assert isinstance(adam, clnet.optimizers.Adam) and adam.betas == (0.8, 0.999)


def test_a_darknet_cfg_learns(tmp_path: Path) -> None:
    recipe = darknet_recipe(cfg(tmp_path))
    x, y = data((1, 6, 6))
    with clnet.Trainer(recipe.net, recipe.loss, recipe.optimizer, device()) as t:
        history = t.fit(x, y, recipe.batch_size, 10)
    assert history.loss[-1] < 0.5 * history.loss[0]


@pytest.mark.parametrize(
    ("policy", "rates"),
    [
        ("constant", {0: 0.1, 30: 0.1}),
        ("steps", {8: 0.1, 9: 0.01, 19: 0.005}),
        ("step", {3: 0.1, 4: 0.05}),
        ("exp", {1: 0.081}),
        ("poly", {19: 0.025}),
        ("sig", {4: 0.05}),
    ],
)
def test_darknet_policies(tmp_path: Path, policy: str, rates: dict[int, float]) -> None:
    rate = read_training_cfg(cfg(tmp_path, policy)).rate
    assert {i: rate(i) for i in rates} == pytest.approx(rates)
    warm = read_training_cfg(cfg(tmp_path, policy, "burn_in=4")).rate
    assert warm(1) == pytest.approx(0.1 * 0.25)


def test_bad_cfgs_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="policy='guess'"):
        darknet_recipe(cfg(tmp_path, "guess"))
    path = cfg(tmp_path)
    path.write_text(path.read_text().replace("[softmax]", "[region]"))
    with pytest.raises(UnsupportedError, match=r"net\.cfg.*training of 'region' layers"):
        darknet_recipe(path)


@needs_data
def test_the_lenet_of_caffe_itself() -> None:
    recipe = caffe_recipe(DATA / "models_caffe_lenet" / "lenet_solver.prototxt", (1, 28, 28))
    assert (recipe.batch_size, recipe.iterations) == (64, 10000)
    assert recipe.normalization.scale == (0.00390625,)
    assert recipe.optimizer.of("ip2.bias").rate_factor == 2
    assert recipe.optimizer.learning_rate(0, 5000) == pytest.approx(0.01 * 1.5**-0.75)
