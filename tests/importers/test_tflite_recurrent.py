"""TFLite operators that remember: several runs in turn, against NumPy and, where it is installed,
LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

from importers.test_tflite_operators import Interpreter, sigmoid
from importers.tflite_models import Op, Tensor, model
from onnx.reference import ReferenceEvaluator

import clnet
from clnet import UnsupportedError
from clnet.cli import main

RNG = np.random.default_rng(11)
RUNS = 4


def real(*shape: int) -> np.ndarray:
    return RNG.uniform(-0.7, 0.7, shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A file, what is fed run by run, and what comes out."""

    data: bytes
    feeds: list[np.ndarray]
    wants: list[np.ndarray]
    step: float = 1e-5  #: of an output in 8 bits, 1


def file_of(
    operator: str, options: str, fields: dict[str, object], inputs: dict[str, Tensor | None],
    output: Tensor,
) -> bytes:  # fmt: skip
    """A model of one operator; the first input is fed."""
    tensors = {n: t for n, t in inputs.items() if t is not None}
    names = [n if t is not None else "" for n, t in inputs.items()]
    op = Op(operator, names, ["y"], options, fields)
    return model({**tensors, "y": output}, [op], ["x"], ["y"])


def lstm(time_major: bool, peepholes: bool, bias: bool) -> Case:
    batch, steps, size, units = 2, 5, 7, 6
    own, old = ([real(units, n) for _ in range(4)] for n in (size, units))
    seen, biases = real(3, units), real(4, units)
    shape = (steps, batch) if time_major else (batch, steps)
    inputs: dict[str, Tensor | None] = {"x": Tensor((*shape, size))}
    inputs |= {f"w{i}": Tensor.of(a) for i, a in enumerate((*own, *old))}
    inputs |= {f"p{i}": Tensor.of(a) if peepholes else None for i, a in enumerate(seen)}
    inputs |= {f"b{i}": Tensor.of(a) if bias else None for i, a in enumerate(biases)}
    if not bias:
        biases = np.zeros_like(biases)
        inputs |= {f"b{i}": Tensor.of(a) for i, a in enumerate(biases)}
    if not peepholes:
        seen = np.zeros_like(seen)
    inputs |= {"projection": None, "bias": None}
    inputs |= {n: Tensor((batch, units), is_variable=True) for n in ("h", "c")}
    fields = {"FusedActivationFunction": 4, "TimeMajor": time_major}
    data = file_of("UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTMOptions", fields,
                   inputs, Tensor((*shape, units)))  # fmt: skip

    def step(x: np.ndarray, state: list[np.ndarray]) -> np.ndarray:
        h, c = state or (np.zeros((batch, units)),) * 2
        i, f, g, o = (x @ own[n].T + h @ old[n].T + biases[n] for n in range(4))
        c = sigmoid(f + seen[1] * c) * c + sigmoid(i + seen[0] * c) * np.tanh(g)
        h = sigmoid(o + seen[2] * c) * np.tanh(c)
        state[:] = h, c
        return h

    return run_of(data, (*shape, size), 0 if time_major else 1, step)


def rnn(activation: int = 4) -> Case:
    w, r, b = real(6, 7), real(6, 6), real(6)
    inputs: dict[str, Tensor | None] = {"x": Tensor((2, 5, 7))}
    inputs |= {n: Tensor.of(a) for n, a in (("w", w), ("r", r), ("b", b))}
    inputs["h"] = Tensor((2, 6), is_variable=True)
    data = file_of("UNIDIRECTIONAL_SEQUENCE_RNN", "SequenceRNNOptions",
                   {"FusedActivationFunction": activation}, inputs, Tensor((2, 5, 6)))  # fmt: skip

    def step(x: np.ndarray, state: list[np.ndarray]) -> np.ndarray:
        before = state[0] if state else np.zeros((2, 6))
        state[:] = [np.tanh(x @ w.T + before @ r.T + b)]
        return state[0]

    return run_of(data, (2, 5, 7), 1, step)


def run_of(
    data: bytes, shape: tuple[int, ...], axis: int,
    step: Callable[[np.ndarray, list[np.ndarray]], np.ndarray],
) -> Case:  # fmt: skip
    """What steps along an axis make of sequences, which go on where the run before ended."""
    feeds, state = [real(*shape) for _ in range(RUNS)], []
    wants = [np.stack([step(part, state) for part in np.moveaxis(x, axis, 0)], axis) for x in feeds]
    return Case(data, feeds, wants)


def svdf(rank: int, bias: bool) -> Case:
    w, t, b = real(6, 7), real(6, 4), real(6 // rank)
    inputs: dict[str, Tensor | None] = {
        "x": Tensor((2, 7)), "w": Tensor.of(w), "t": Tensor.of(t),
        "b": Tensor.of(b) if bias else None, "v": Tensor((2, 24), is_variable=True),
    }  # fmt: skip
    fields = {"FusedActivationFunction": 1, "Rank": rank}
    data = file_of("SVDF", "SVDFOptions", fields, inputs, Tensor((2, 6 // rank)))
    feeds, seen, wants = [real(2, 7) for _ in range(RUNS)], np.zeros((2, 6, 4)), []
    for x in feeds:
        seen = np.concatenate([seen[:, :, 1:], (x @ w.T)[:, :, None]], 2)
        y = (seen * t).sum(2).reshape(2, -1, rank).sum(2)
        wants.append(np.maximum(y + b if bias else y, 0))
    return Case(data, feeds, wants)


def quantised_svdf() -> Case:
    """8 bits in and out; features are kept in 16."""
    x, w, t, kept, y = 0.05, 0.004, 5e-5, 8e-4, 0.12
    features = RNG.integers(-127, 128, (16, 24)).astype(np.int8)
    times = RNG.integers(-20000, 20000, (16, 8)).astype(np.int16)
    bias = RNG.integers(-(2**24), 2**24, 16).astype(np.int32)
    inputs: dict[str, Tensor | None] = {
        "x": Tensor((1, 24), "int8", scales=[x], zero_points=[-5]),
        "w": Tensor.of(features, scales=[w]), "t": Tensor.of(times, scales=[t]),
        "b": Tensor.of(bias, scales=[kept * t]),
        "v": Tensor((1, 128), "int16", scales=[kept], is_variable=True),
    }  # fmt: skip
    output = Tensor((1, 16), "int8", scales=[y], zero_points=[-128])
    data = file_of("SVDF", "SVDFOptions", {"FusedActivationFunction": 1, "Rank": 1}, inputs, output)
    feeds = [RNG.integers(-128, 128, (1, 24)).astype(np.int8) for _ in range(RUNS)]
    seen, wants = np.zeros((16, 8)), []
    for fed in feeds:
        new = np.rint(features.astype(int) @ (fed[0].astype(int) + 5) * (x * w / kept))
        seen = np.concatenate([seen[:, 1:], new.clip(-32768, 32767)[:, None]], 1)
        total = (seen * times).sum(1) + bias
        wants.append((np.rint(total * (kept * t / y)) - 128).clip(-128, 127)[None].astype(np.int8))
    return Case(data, feeds, wants, step=1)


CASES = {
    "lstm": lstm(time_major=False, peepholes=False, bias=True),
    "lstm in time order": lstm(time_major=True, peepholes=False, bias=True),
    "lstm with peepholes": lstm(time_major=True, peepholes=True, bias=True),
    "rnn": rnn(),
    "svdf": svdf(rank=1, bias=True),
    "svdf of rank 2": svdf(rank=2, bias=False),
    "quantised svdf": quantised_svdf(),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_runs_go_on_where_the_last_one_ended_until_reset(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(case.data)
    with clnet.load(path) as session:
        for _ in range(2):
            for x, want in zip(case.feeds, case.wants, strict=True):
                check(session.run(x)["y"], want, case)
            session.reset()


def test_a_plan_with_launches_of_their_own_goes_on_from_what_is_remembered(tmp_path: Path) -> None:
    case = CASES["lstm"]
    path = tmp_path / "model.tflite"
    path.write_bytes(case.data)
    with clnet.load(path) as session:
        session.run(case.feeds[0])
        with session.map_input(session.inputs[0].name) as view:
            view[...] = case.feeds[1]
        plan = session.apart()
        plan.executable.run()
        with plan.executable.map(plan.outputs["y"], write=False) as view:
            check(np.array(view), case.wants[1], case)
        plan.executable.release()


@pytest.mark.skipif(Interpreter is None, reason="ai-edge-litert is not installed")
def test_litert_says_the_same(case: Case) -> None:
    interpreter = Interpreter(model_content=case.data)
    interpreter.allocate_tensors()
    for x, want in zip(case.feeds, case.wants, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        check(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), want, case)


def test_as_onnx_what_is_remembered_goes_out_and_in(case: Case, tmp_path: Path) -> None:
    source, path = tmp_path / "model.tflite", tmp_path / "model.onnx"
    source.write_bytes(case.data)
    assert main(["convert", str(source), str(path)]) == 0
    evaluator = ReferenceEvaluator(str(path))
    (first, *states), (_, *after) = evaluator.input_names, evaluator.output_names
    assert [f"next_{name}" for name in states] == after
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim]
              for i in evaluator.proto_.graph.input}  # fmt: skip
    memory = [np.zeros(shapes[name], np.float32) for name in states]
    for x, want in zip(case.feeds, case.wants, strict=True):
        feeds = {first: x, **dict(zip(states, memory, strict=True))}
        y, *memory = evaluator.run(None, feeds)
        check(y, want, case)


def test_onnx_has_not_every_activation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(rnn(activation=3).data)
    assert main(["convert", str(path), str(tmp_path / "model.onnx")]) == 2
    assert "ONNX has no RNN with the activation Clip" in capsys.readouterr().err


def test_what_is_not_supported_is_said(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    for variable, text in variables():
        inputs = {"x": Tensor((1, 2)), "w": Tensor.of(real(3, 2)), "t": Tensor.of(real(3, 4)),
                  "b": None, "v": variable}  # fmt: skip
        path.write_bytes(file_of("SVDF", "SVDFOptions", {"Rank": 1}, inputs, Tensor((1, 3))))
        with pytest.raises(UnsupportedError, match=text):
            clnet.load(path)


def variables() -> Iterator[tuple[Tensor, str]]:
    yield Tensor((1, 12)), "is no variable of this operator alone"
    yield Tensor.of(real(1, 12), is_variable=True), "is no variable of this operator alone"


def check(got: np.ndarray, want: np.ndarray, case: Case) -> None:
    assert got.shape == want.shape
    np.testing.assert_allclose(got.astype(float), want.astype(float), rtol=0, atol=case.step)
