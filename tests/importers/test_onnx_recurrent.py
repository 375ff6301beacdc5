"""RNN, GRU and LSTM as ONNX spells them: directions, layouts, biases, activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluate import evaluate
from importers.onnx_models import model
from onnx import helper
from onnx.reference import ReferenceEvaluator

from clnet import ModelError, UnsupportedError
from clnet.importers.onnx import read_model_proto

RNG = np.random.default_rng(0)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, BATCH, SIZE, UNITS = 4, 2, 3, 5
X = RNG.uniform(-1, 1, (STEPS, BATCH, SIZE)).astype(np.float32)


def weights(cell: str, directions: int = 1) -> dict[str, np.ndarray]:
    gates = GATES[cell] * UNITS
    shapes = {"w": (gates, SIZE), "r": (gates, UNITS), "b": (2 * gates,)}
    return {
        name: RNG.uniform(-1, 1, (directions, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def proto(cell: str, x: np.ndarray, given: dict[str, np.ndarray], **attributes: Any) -> Any:
    inputs = ["x", *(name if name in given else "" for name in ("w", "r", "b", "n", "h", "c", "p"))]
    while not inputs[-1]:
        inputs.pop()
    outputs = ["y", "last", "memory"][: 3 if cell == "LSTM" else 2]
    node = helper.make_node(cell, inputs, outputs, hidden_size=UNITS, **attributes)
    return model([node], {"x": x.shape}, outputs, given)


def run(cell: str, x: np.ndarray, given: dict[str, np.ndarray], **attributes: Any) -> Any:
    return evaluate(read_model_proto(proto(cell, x, given, **attributes)), {"x": x})


def same(a: np.ndarray, b: np.ndarray) -> None:
    """But for what the order of sums in a matrix product makes."""
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("cell", GATES)
def test_forward_equals_onnx(cell: str, after: int) -> None:
    more = {"linear_before_reset": after} if cell == "GRU" else {}
    given = weights(cell)
    if cell == "LSTM":
        given["h"], given["c"] = RNG.uniform(-1, 1, (2, 1, BATCH, UNITS)).astype(np.float32)
        given["p"] = given["b"][:, : 3 * UNITS]
        given["n"] = np.full(BATCH, STEPS, np.int32)
    want = ReferenceEvaluator(proto(cell, X, given, **more)).run(None, {"x": X})
    for a, b in zip(run(cell, X, given, **more).values(), want, strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cell", GATES)
def test_both_directions_are_each_of_them_alone(cell: str) -> None:
    given = weights(cell, 2)
    both = run(cell, X, given, direction="bidirectional")
    for d, (name, x) in enumerate({"forward": X, "reverse": X[::-1]}.items()):
        one = {n: a[d : d + 1] for n, a in given.items()}
        plain = run(cell, x, one)
        turned = plain["y"][:: 1 if name == "forward" else -1]
        same(both["y"][:, d : d + 1], turned)
        same(both["last"][d : d + 1], plain["last"])
        same(run(cell, X, one, direction=name)["y"], turned)


@pytest.mark.parametrize("cell", GATES)
def test_shorter_sequences_leave_the_rest_out(cell: str) -> None:
    given = weights(cell)
    short = run(cell, X, {**given, "n": np.array([STEPS, 2], np.int32)}, direction="reverse")
    alone = run(cell, X[:2, 1:], given, direction="reverse")
    same(short["y"][:2, :, 1:], alone["y"])
    same(short["last"][:, 1:], alone["last"])
    assert not short["y"][2:, :, 1].any() and short["y"][2:, :, 0].any()


def test_batch_first_is_a_transposition() -> None:
    given = weights("GRU")
    state = RNG.uniform(-1, 1, (1, BATCH, UNITS)).astype(np.float32)
    plain = run("GRU", X, {**given, "h": state})
    first = run("GRU", X.swapaxes(0, 1).copy(), {**given, "h": state.swapaxes(0, 1)}, layout=1)
    same(first["y"], plain["y"].transpose(2, 0, 1, 3))
    same(first["last"], plain["last"].swapaxes(0, 1))


def test_activations_read_their_parameters_in_order() -> None:
    given = weights("RNN")
    names = {"activations": ["ScaledTanh"], "activation_alpha": [0.5], "activation_beta": [2.0]}
    y = run("RNN", X[:1], given, **names)["y"]
    own = X[0] @ given["w"][0].T + given["b"][0, :UNITS] + given["b"][0, UNITS:]
    same(y[0, 0], 0.5 * np.tanh(2 * own))
    clipped = run("RNN", X[:1], given, activations=["Affine"], clip=0.25)["y"]
    same(clipped[0, 0], own.clip(-0.25, 0.25))


def test_a_gate_that_is_coupled_forgets_what_is_taken_in() -> None:
    given = weights("LSTM")
    given["c"] = np.ones((1, BATCH, UNITS), np.float32)
    got = run("LSTM", X[:1], given, input_forget=1)["memory"][0]
    own = X[0] @ given["w"][0].T + given["b"][0].reshape(2, -1).sum(0)
    take = 1 / (1 + np.exp(-own[:, :UNITS]))
    want = 1 - take + take * np.tanh(own[:, 3 * UNITS :])
    same(got, want)


@pytest.mark.parametrize(
    ("attributes", "error", "text"),
    [
        ({"activations": ["Sinc"]}, UnsupportedError, "the activation 'Sinc'"),
        ({"activations": ["Tanh", "Tanh"]}, ModelError, "2 activations for 1 directions"),
        ({"direction": "bidirectional"}, ModelError, "do not fit"),
        ({"direction": "sideways"}, UnsupportedError, "direction 'sideways'"),
    ],
)
def test_what_does_not_fit_is_said(attributes: dict[str, Any], error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        run("RNN", X, weights("RNN"), **attributes)
