"""Trainer: learns, repeats itself, counts right, and says what is wrong with its data."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from evaluate import evaluate
from harness import device

import clnet
from clnet.errors import InputError
from clnet.graph import GraphBuilder
from clnet.models.layers import Activation, Conv, Dense, Flatten, MaxPool, Softmax

Data = tuple[np.ndarray, np.ndarray]


def network(seed: int = 0) -> clnet.Sequential:
    return clnet.Sequential(
        [Conv(4, 3, padding=1), Activation("Tanh"), MaxPool(2), Flatten(), Dense(3), Softmax()],
        input_shape=(1, 6, 6),
        seed=seed,
    )


def trainer(rate: float = 0.1, **options: object) -> clnet.Trainer:
    optimizer = clnet.optimizers.SGD(rate)
    return clnet.Trainer(network(), optimizer=optimizer, device=device(), **options)


@pytest.fixture(scope="module")
def data() -> Data:
    """Three patterns under noise."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 90)
    patterns = rng.standard_normal((3, 1, 6, 6))
    return (patterns[y] + 0.3 * rng.standard_normal((90, 1, 6, 6))).astype(np.float32), y


def test_it_learns(data: Data) -> None:
    x, y = data
    with trainer() as t:
        history = t.fit(x[:70], y[:70], batch_size=16, epochs=6, validation=(x[70:], y[70:]))
        assert history.loss[-1] < 0.3 * history.loss[0]
        assert history.validation_accuracy[-1] >= 0.95
        assert len(history.seconds) == len(history.validation_loss) == 6
        assert t.evaluate(x[70:], y[70:])["loss"] == pytest.approx(history.validation_loss[-1])


def test_the_same_seed_gives_the_same_weights(data: Data) -> None:
    def weights(seed: int) -> dict[str, np.ndarray]:
        with trainer() as t:
            t.fit(*data, batch_size=16, epochs=2, seed=seed)
            return t.state_dict()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(first[n], again[n]) for n in first)
    assert not all(np.array_equal(first[n], other[n]) for n in first)


def test_steps_are_those_of_gradient_descent_with_a_smaller_last_batch(data: Data) -> None:
    """Against differences of the loss in float64: a batch of 3, then the 2 that are left."""
    x, y = data[0][:5].astype(np.float64), data[1][:5]
    net = network()

    def loss(weights: dict[str, np.ndarray], chosen: np.ndarray) -> float:
        build = GraphBuilder()
        inputs = build.input("x", x[chosen].shape, "float64")
        build.output(
            net.apply(build, inputs, {n: build.constant(a) for n, a in weights.items()}), "y"
        )
        scores = evaluate(build.graph, {"x": x[chosen]})["y"]
        return float(-np.log(scores[np.arange(len(chosen)), y[chosen]]).mean())

    def slope(weights: dict[str, np.ndarray], chosen: np.ndarray, name: str) -> np.ndarray:
        result = np.zeros_like(weights[name])
        for i in np.ndindex(result.shape):
            step = np.zeros_like(result)
            step[i] = 1e-5
            above, below = (weights | {name: weights[name] + s} for s in (step, -step))
            result[i] = (loss(above, chosen) - loss(below, chosen)) / 2e-5
        return result

    expected = {n: a.astype(np.float64) for n, a in net.parameters.items()}
    order = np.random.default_rng((0, 0)).permutation(5)
    for chosen in (order[:3], order[3:]):
        expected = {n: a - 0.5 * slope(expected, chosen, n) for n, a in expected.items()}
    with trainer(rate=0.5) as t:
        t.fit(x, y, batch_size=3, seed=0)
        for name, found in t.state_dict().items():
            np.testing.assert_allclose(found, expected[name], atol=1e-5, err_msg=name)


def test_a_sample_labelled_minus_one_does_not_count(data: Data) -> None:
    x, y = data
    marked = np.where(np.arange(len(y)) < 20, y, -1)
    with trainer() as t:
        assert t.evaluate(x, marked) == pytest.approx(t.evaluate(x[:20], y[:20]))


def test_an_epoch_of_several_chunks_sees_every_sample(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = data
    with trainer() as t:
        expected = t.evaluate(x, y, batch_size=8)
    monkeypatch.setattr("clnet.training.trainer.CHUNK_STEPS", 3)
    with trainer() as t:
        assert t.evaluate(x, y, batch_size=8) == pytest.approx(expected)


def test_exported_model_equals_the_trainers_predictions(data: Data, tmp_path) -> None:
    x, y = data
    with trainer() as t:
        t.fit(x, y, batch_size=16)
        t.export(tmp_path / "net.onnx")
        expected = t.predict(x[:7], batch_size=4)
    assert not t.net.parameters["dense1.bias"].any()  # the network itself stays as it was
    with clnet.load(tmp_path / "net.onnx", device(), input_shapes={"x": (7, 1, 6, 6)}) as session:
        np.testing.assert_allclose(session.run({"x": x[:7]})["y"], expected, atol=1e-5)


def test_the_rate_may_depend_on_the_epoch(data: Data) -> None:
    with trainer() as t:
        t.optimizer = clnet.optimizers.SGD(lambda epoch, step: 0.1 if epoch == 0 else 0.0)
        seen = []
        t.fit(*data, batch_size=16, epochs=2, on_epoch=lambda _: seen.append(t.state_dict()))
    assert all(np.array_equal(seen[0][n], seen[1][n]) for n in seen[0])
    assert not np.array_equal(seen[0]["dense1.bias"], np.zeros(3))


def test_training_copies_nothing_where_memory_is_shared(data: Data) -> None:
    with trainer() as t:
        t.fit(*data, batch_size=16)
        copied = t.bytes_copied
    if device().info.unified_memory:
        assert copied == 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 6, 6)), np.zeros(4, int), r"x is \[4, 6, 6\]"),
        (np.zeros((4, 1, 6, 6), complex), np.zeros(4, int), "complex128"),
        (np.zeros((4, 1, 6, 6)), np.zeros(3, int), r"y is \[3\]"),
        (np.zeros((4, 1, 6, 6)), np.zeros(4), "y is float64"),
        (np.zeros((4, 1, 6, 6)), np.array([0, 2, 3, 1]), r"y\[2\] is 3; there are classes 0 to 2"),
        (np.zeros((0, 1, 6, 6)), np.zeros(0, int), "x is"),
    ],
)
def test_bad_data_is_named(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with trainer() as t, pytest.raises(InputError, match=message):
        t.fit(x, y)


def test_unknown_names_and_a_closed_trainer_are_refused(data: Data) -> None:
    with pytest.raises(InputError, match="there are cross_entropy"):
        trainer(loss="guess")
    t = trainer()
    t.close()
    with pytest.raises(InputError, match="closed"):
        t.state_dict()
    with trainer(rate=float("nan")) as t, pytest.raises(InputError, match="learning rate"):
        t.fit(*data)


def test_a_forgotten_trainer_releases_its_memory(data: Data) -> None:
    t = trainer()
    t.evaluate(*data)
    finalizer = t._finalizer
    del t
    gc.collect()
    assert not finalizer.alive


def test_a_network_may_end_in_logits() -> None:
    def loss(layers: list) -> float:
        net = clnet.Sequential(layers, input_shape=(4,))
        x = np.random.default_rng(0).standard_normal((6, 4))
        with clnet.Trainer(net, device=device()) as t:
            return t.evaluate(x, np.arange(6) % 3)["loss"]

    assert loss([Dense(3)]) == pytest.approx(loss([Dense(3), Softmax()]))


def test_misfitting_layers_are_named() -> None:
    with pytest.raises(clnet.ShapeError, match=r"dense1.*put Flatten before"):
        clnet.Sequential([Conv(2, 3), Dense(3)], input_shape=(1, 5, 5))
    with pytest.raises(InputError, match="no initializer is named 'hee'"):
        clnet.Sequential([Dense(3, initializer="hee")], input_shape=(4,))


def test_lenet_is_the_one_of_the_benchmarks() -> None:
    net = clnet.models.lenet()
    assert {n: a.shape for n, a in net.parameters.items() if n.endswith("weight")} == {
        "conv1.weight": (6, 1, 5, 5),
        "conv2.weight": (16, 6, 5, 5),
        "dense1.weight": (120, 256),
        "dense2.weight": (10, 120),
    }
    build = GraphBuilder()
    assert net.apply(build, build.input("x", (2, 1, 28, 28)), {
        n: build.constant(a) for n, a in net.parameters.items()
    }).spec.shape == (2, 10)  # fmt: skip


def test_recomputation_gives_the_same_weights_from_less_memory() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((32, 1, 16, 16)).astype(np.float32), rng.integers(0, 3, 32)
    layers = [layer for _ in range(6) for layer in (Conv(4, 3, padding=1), Activation("Tanh"))]
    found, peaks = [], []
    for checkpoint in (False, True):
        net = clnet.Sequential([*layers, Flatten(), Dense(3)], input_shape=(1, 16, 16))
        with clnet.Trainer(net, device=device(), checkpoint=checkpoint) as t:
            peaks.append(t.memory(batch_size=32).work)
            t.fit(x, y, batch_size=32, epochs=2)
            found.append(t.state_dict())
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], rtol=1e-6, err_msg=name)
    assert peaks[1] < peaks[0]
