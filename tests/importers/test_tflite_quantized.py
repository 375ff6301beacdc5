"""Quantised operators: what the float operator gives for the real numbers, on the output's grid, to
one step; and what LiteRT gives, where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate import evaluate

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

from importers.test_tflite_operators import (
    CONV,
    DEPTHWISE,
    POOL,
    TRANSPOSED,
    Interpreter,
    bilinear,
    convolved,
    deconvolved,
    depthwise,
    nearest,
    patches,
    sigmoid,
)
from importers.tflite_models import Op, Tensor, model

from clnet import UnsupportedError
from clnet.importers.tflite import read_tflite
from clnet.passes.pipeline import optimize

RNG = np.random.default_rng(5)


@dataclass(frozen=True)
class Grid:
    """A quantised tensor's scale and zero point."""

    scale: float
    zero_point: int
    dtype: str = "int8"

    def stored(self, real: np.ndarray) -> np.ndarray:
        """The nearest integers."""
        limits = np.iinfo(self.dtype)
        codes = np.rint(np.asarray(real, np.float64) / self.scale) + self.zero_point
        return codes.clip(limits.min, limits.max).astype(self.dtype)

    def real(self, stored: np.ndarray) -> np.ndarray:
        """What integers stand for."""
        return ((stored.astype(np.float64) - self.zero_point) * self.scale).astype(np.float32)

    def tensor(self, shape: Sequence[int], data: np.ndarray | None = None) -> Tensor:
        """A tensor on this grid."""
        return Tensor(shape, self.dtype, data, [self.scale], [self.zero_point])


X, SAME, OTHER = Grid(0.03, -5), Grid(0.03, -5), Grid(0.05, 17)
UNSIGNED = Grid(0.02, 100, "uint8")
FULL = Grid(1 / 256, -128)


@dataclass(frozen=True)
class Case:
    """An operator over quantised inputs and other constants. ``want`` takes real numbers."""

    operator: str
    shapes: Sequence[Sequence[int]]
    grids: Sequence[Grid]  #: of the inputs, then of the output
    want: Callable[..., Any]
    options: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    constants: Sequence[np.ndarray] = ()
    first: Sequence[np.ndarray] = ()  #: constants before the inputs
    litert: bool = True

    def inputs(self) -> dict[str, np.ndarray]:
        """Stored integers over their whole range."""
        rng = np.random.default_rng(1)
        made = {}
        for i, (shape, grid) in enumerate(zip(self.shapes, self.grids, strict=False)):
            limits = np.iinfo(grid.dtype)
            made[f"x{i}"] = rng.integers(limits.min, limits.max + 1, shape).astype(grid.dtype)
        return made

    def expected(self) -> list[np.ndarray]:
        """The stored outputs."""
        real = [g.real(x) for g, x in zip(self.grids, self.inputs().values(), strict=False)]
        made = self.want(*real)
        out = self.grids[-1]
        return [
            out.stored(y) if np.asarray(y).dtype.kind == "f" else np.asarray(y)
            for y in (made if isinstance(made, list | tuple) else [made])
        ]

    def model(self) -> bytes:
        """The file."""
        pairs = zip(self.shapes, self.grids, strict=False)
        inputs = {f"x{i}": grid.tensor(shape) for i, (shape, grid) in enumerate(pairs)}
        first = {f"f{i}": Tensor.of(c) for i, c in enumerate(self.first)}
        constants = {f"c{i}": Tensor.of(c) for i, c in enumerate(self.constants)}
        outputs = {}
        for i, y in enumerate(self.expected()):
            quantised = y.dtype.name == self.grids[-1].dtype
            outputs[f"y{i}"] = (self.grids[-1].tensor(y.shape) if quantised
                                else Tensor(y.shape, y.dtype.name))  # fmt: skip
        tensors = {**first, **inputs, **constants, **outputs}
        names = [*first, *inputs, *constants]
        op = Op(self.operator, names, list(outputs), self.options, self.fields)
        return model(tensors, [op], list(inputs), list(outputs))


S = (2, 6, 7, 4)
WINDOW = {"Padding": 0, "StrideH": 2, "StrideW": 1}


def whole(*values: object) -> np.ndarray:
    return np.array(values, np.int32)


def pool(x: np.ndarray, fold: Callable[..., Any], value: float) -> Any:
    return fold(patches(x, (3, 2), (2, 1), same=True, value=value), (3, 4))


def concat(*x: np.ndarray) -> np.ndarray:
    return np.concatenate(x, 3)


CASES = [
    Case("ADD", [S, S], [X, OTHER, OTHER], np.add, "AddOptions"),
    Case("ADD", [S, S], [X, X, X], lambda a, b: np.clip(a + b, 0, 6), "AddOptions",
         {"FusedActivationFunction": 3}),
    Case("SUB", [S, S], [X, OTHER, OTHER], np.subtract, "SubOptions"),
    Case("MUL", [S, S[3:]], [X, OTHER, OTHER], np.multiply, "MulOptions"),
    Case("ADD", [S, S], [UNSIGNED] * 3, np.add, "AddOptions"),
    Case("MAXIMUM", [S, S], [X, X, X], np.maximum, "MaximumMinimumOptions"),
    Case("MINIMUM", [S, S], [X, X, X], np.minimum, "MaximumMinimumOptions"),
    Case("RELU", [S], [X, OTHER], lambda x: np.maximum(x, 0)),
    Case("RELU6", [S], [X, X], lambda x: np.clip(x, 0, 6)),
    Case("LEAKY_RELU", [S], [X, OTHER], lambda x: np.where(x < 0, 0.2 * x, x), "LeakyReluOptions",
         {"Alpha": 0.2}),
    Case("LOGISTIC", [S], [X, FULL], sigmoid),
    Case("TANH", [S], [X, Grid(1 / 128, 0)], np.tanh),
    Case("HARD_SWISH", [S], [X, OTHER], lambda x: x * np.clip(x + 3, 0, 6) / 6,
         "HardSwishOptions"),
    Case("SOFTMAX", [(3, 10)], [OTHER, FULL],
         lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True), "SoftmaxOptions", {"Beta": 1.0}),
    Case("ABS", [S], [X, OTHER], np.abs, "AbsOptions"),
    Case("CONCATENATION", [S, S], [X, X, X], concat, "ConcatenationOptions", {"Axis": 3}),
    Case("CONCATENATION", [S, S], [UNSIGNED, Grid(0.05, 90, "uint8"), UNSIGNED], concat,
         "ConcatenationOptions", {"Axis": 3}),
    Case("RESHAPE", [S], [X, X], lambda x: x.reshape(2, -1), constants=[whole(2, -1)]),
    Case("PAD", [S], [X, X], lambda x: np.pad(x, [(0, 0), (1, 0), (0, 2), (0, 0)]), "PadOptions",
         constants=[whole((0, 0), (1, 0), (0, 2), (0, 0))]),
    Case("STRIDED_SLICE", [(5, 7)], [X, X], lambda x: x[1:4, ::2], "StridedSliceOptions",
         {"BeginMask": 2, "EndMask": 2}, [whole(1, 0), whole(4, 0), whole(1, 2)]),
    Case("SPLIT", [S], [X, X], lambda x: np.split(x, 2, 3), "SplitOptions", {"NumSplits": 2},
         first=[np.int32(3)]),
    Case("GATHER", [(5, 7)], [X, X], lambda x: x[[3, 0]], "GatherOptions", {"Axis": 0},
         [whole(3, 0)]),
    Case("TRANSPOSE", [(5, 7)], [X, X], np.transpose, "TransposeOptions", {}, [whole(1, 0)]),
    Case("ARG_MAX", [(5, 7)], [X, X], lambda x: x.argmax(1).astype("i4"), "ArgMaxOptions",
         {"OutputType": 2}, [np.int32(1)]),
    Case("MEAN", [S], [X, OTHER], lambda x: x.mean((1, 2)), "ReducerOptions", {}, [whole(1, 2)]),
    Case("SUM", [S], [X, Grid(0.3, 3)], lambda x: x.sum((1, 2)), "ReducerOptions", {},
         [whole(1, 2)]),
    Case("REDUCE_MAX", [S], [X, X], lambda x: x.max((1, 2)), "ReducerOptions", {}, [whole(1, 2)]),
    Case("MAX_POOL_2D", [S], [X, X], lambda x: pool(x, np.max, -99), POOL,
         {**WINDOW, "FilterHeight": 3, "FilterWidth": 2}),
    Case("AVERAGE_POOL_2D", [S], [X, X], lambda x: pool(x, np.nanmean, np.nan), POOL,
         {**WINDOW, "FilterHeight": 3, "FilterWidth": 2}),
    Case("RESIZE_BILINEAR", [S], [X, X], lambda x: bilinear(x, (9, 5), half=True),
         "ResizeBilinearOptions", {"HalfPixelCenters": True}, [whole(9, 5)]),
    Case("RESIZE_NEAREST_NEIGHBOR", [S], [X, X], lambda x: nearest(x, (9, 5)),
         "ResizeNearestNeighborOptions", {}, [whole(9, 5)]),
    Case("QUANTIZE", [S], [X, OTHER], lambda x: x, "QuantizeOptions"),
    Case("QUANTIZE", [S], [UNSIGNED, X], lambda x: x, "QuantizeOptions"),
    Case("SQUARED_DIFFERENCE", [S, S], [X, OTHER, Grid(0.5, -128)], lambda a, b: (a - b) ** 2,
         "SquaredDifferenceOptions"),
    Case("BATCH_MATMUL", [(2, 3, 9), (2, 9, 5)], [X, OTHER, Grid(0.3, 4)], np.matmul,
         "BatchMatMulOptions"),
    Case("FULLY_CONNECTED", [(3, 9), (5, 9)], [X, Grid(0.05, 0), Grid(0.3, 4)],
         lambda x, w: x @ w.T, "FullyConnectedOptions"),
    Case("LESS", [S, S], [X, OTHER, X], np.less, "LessOptions"),
]  # fmt: skip


@dataclass(frozen=True)
class Product:
    """An operator with quantised weights and an integer bias."""

    operator: str
    shape: Sequence[int]
    weights: Sequence[int]
    channels: int  #: the weights' axis that may have a scale per index
    want: Callable[..., Any]
    options: str
    fields: Mapping[str, Any]
    grids: tuple[Grid, Grid] = (X, Grid(0.25, 4))
    per_channel: bool = True

    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Stored x and weights, the weights' scales, the integer bias, and real weights."""
        rng = np.random.default_rng(2)
        grid = self.grids[0]
        limits = np.iinfo(grid.dtype)
        x = rng.integers(limits.min, limits.max + 1, self.shape).astype(grid.dtype)
        count = self.weights[self.channels]
        scales = rng.uniform(0.005, 0.02, count if self.per_channel else 1).astype(np.float32)
        zero = 130 if grid.dtype == "uint8" else 0
        low, high = (0, 256) if zero else (-127, 128)
        wide = grid.dtype == "int16"
        w = rng.integers(low, high, self.weights).astype("int8" if wide else grid.dtype)
        bias = rng.integers(-900, 900, count).astype(np.int64 if wide else np.int32)
        spread = scales.reshape([-1 if d == self.channels else 1 for d in range(w.ndim)])
        return x, w, scales, bias, (w.astype(np.float64) - zero) * spread

    def expected(self) -> np.ndarray:
        """The stored output."""
        x, _, scales, bias, real = self.parts()
        source, target = self.grids
        return target.stored(self.want(source.real(x), real, bias * (scales * source.scale)))

    def model(self) -> bytes:
        """The file."""
        x, w, scales, bias, _ = self.parts()
        source, target = self.grids
        zero = 130 if source.dtype == "uint8" else 0
        more = {"scales": scales.tolist(), "zero_points": [zero] * scales.size}
        tensors = {
            "x": source.tensor(x.shape),
            "w": Tensor.of(w, axis=self.channels, **more),
            "b": Tensor.of(bias, scales=(scales * source.scale).tolist(), axis=0),
            "y0": target.tensor(self.expected().shape),
        }
        inputs = ["x", "w", "b"]
        if self.operator == "TRANSPOSE_CONV":
            tensors["s"] = Tensor.of(np.array(self.expected().shape, np.int32))
            inputs = ["s", "w", "x", "b"]
        op = Op(self.operator, inputs, ["y0"], self.options, self.fields)
        return model(tensors, [op], ["x"], ["y0"])


WIDE = {"strides": (2, 1), "same": True}
PRODUCTS = [
    Product("CONV_2D", S, (5, 3, 2, 4), 0, lambda x, w, b: convolved(x, w, b, **WIDE), CONV,
            WINDOW),
    Product("CONV_2D", S, (5, 3, 2, 4), 0,
            lambda x, w, b: np.clip(convolved(x, w, b, **WIDE), 0, 6), CONV,
            {**WINDOW, "FusedActivationFunction": 3}),
    Product("CONV_2D", S, (5, 3, 2, 4), 0, lambda x, w, b: convolved(x, w, b, **WIDE), CONV,
            WINDOW, (UNSIGNED, Grid(0.25, 99, "uint8")), per_channel=False),
    Product("CONV_2D", S, (5, 3, 2, 4), 0, lambda x, w, b: convolved(x, w, b, **WIDE), CONV,
            WINDOW, (Grid(1e-4, 0, "int16"), Grid(1e-3, 0, "int16"))),
    Product("DEPTHWISE_CONV_2D", S, (1, 3, 2, 8), 3, lambda x, w, b: depthwise(x, w, b, **WIDE),
            DEPTHWISE, {**WINDOW, "DepthMultiplier": 2}),
    Product("TRANSPOSE_CONV", S, (5, 3, 2, 4), 0,
            lambda x, w, b: deconvolved((2, 12, 7, 5), w, x, (2, 1), True, b), TRANSPOSED, WINDOW),
    Product("FULLY_CONNECTED", (3, 20), (6, 20), 0, lambda x, w, b: x @ w.T + b,
            "FullyConnectedOptions", {}, per_channel=False),
    Product("FULLY_CONNECTED", (3, 20), (6, 20), 0, lambda x, w, b: x @ w.T + b,
            "FullyConnectedOptions", {}),
]  # fmt: skip


def evaluated(data: bytes, feeds: Mapping[str, np.ndarray], folder: Path) -> Any:
    """The outputs of the graph as imported, after a check that rewriting leaves them."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    graph = read_tflite(path)
    outputs = evaluate(graph, feeds)
    optimize(graph)
    rewritten = evaluate(graph, feeds)
    for name, want in outputs.items():
        assert np.abs(rewritten[name].astype(int) - want.astype(int)).max() <= 1
    return outputs


def litert(data: bytes, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of LiteRT."""
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], feeds[detail["name"]])
    interpreter.invoke()
    return {d["name"]: interpreter.get_tensor(d["index"])
            for d in interpreter.get_output_details()}  # fmt: skip


def within_a_step(got: np.ndarray, want: np.ndarray) -> None:
    """Integers of one shape and dtype, at most 1 apart."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    assert np.abs(got.astype(int) - want.astype(int)).max() <= 1


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{c.operator}-{i}" for i, c in enumerate(CASES)]
)  # fmt: skip
def test_quantised_operator(case: Case, tmp_path: Path) -> None:
    outputs = evaluated(case.model(), case.inputs(), tmp_path)
    for i, want in enumerate(case.expected()):
        within_a_step(outputs[f"y{i}"], want)
    if Interpreter is not None and case.litert:
        for name, want in litert(case.model(), case.inputs()).items():
            within_a_step(outputs[name], want)


@pytest.mark.parametrize(
    "case", PRODUCTS, ids=[f"{c.operator}-{i}" for i, c in enumerate(PRODUCTS)]
)  # fmt: skip
def test_quantised_product(case: Product, tmp_path: Path) -> None:
    feeds = {"x": case.parts()[0]}
    outputs = evaluated(case.model(), feeds, tmp_path)
    within_a_step(outputs["y0"], case.expected())
    assert (outputs["y0"] != case.expected()).mean() < 0.01
    if Interpreter is not None:
        within_a_step(outputs["y0"], litert(case.model(), feeds)["y0"])


def test_between_real_and_quantised_numbers(tmp_path: Path) -> None:
    x = RNG.uniform(-4, 4, (3, 4)).astype(np.float32)
    tensors = {"x": Tensor(x.shape), "q": X.tensor(x.shape), "y": Tensor(x.shape)}
    ops = [Op("QUANTIZE", ["x"], ["q"], "QuantizeOptions"),
           Op("DEQUANTIZE", ["q"], ["y"], "DequantizeOptions")]  # fmt: skip
    path = tmp_path / "model.tflite"
    path.write_bytes(model(tensors, ops, ["x"], ["q", "y"]))
    outputs = evaluate(read_tflite(path), {"x": x})
    np.testing.assert_array_equal(outputs["q"], X.stored(x))
    np.testing.assert_allclose(outputs["y"], X.real(X.stored(x)), rtol=1e-6)


def test_average_pools_round_halves_away_from_zero(tmp_path: Path) -> None:
    fields = {"Padding": 1, "StrideH": 1, "StrideW": 2, "FilterHeight": 1, "FilterWidth": 2}
    x = np.array([1, 2, 2, 3, -2, -1, -3, -2], np.int8).reshape(1, 1, 8, 1)
    grid = Grid(0.5, -3)
    tensors = {"x": grid.tensor(x.shape), "y0": grid.tensor((1, 1, 4, 1))}
    data = model(tensors, [Op("AVERAGE_POOL_2D", ["x"], ["y0"], POOL, fields)], ["x"], ["y0"])
    outputs = evaluated(data, {"x": x}, tmp_path)
    np.testing.assert_array_equal(outputs["y0"].reshape(-1), [2, 3, -2, -3])


def on_a_grid(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Rounded to 255 steps between the smallest and the largest number, zero among them."""
    high, low = x.max(axes, keepdims=True).clip(0), x.min(axes, keepdims=True).clip(None, 0)
    step = (high - low).astype(np.float64) / 255
    return np.rint(x / np.where(step > 0, step, 1)) * step


@pytest.mark.parametrize(
    ("operator", "shape", "weights", "options", "fields", "want"),
    [
        ("FULLY_CONNECTED", (3, 20), (6, 20), "FullyConnectedOptions", {},
         lambda x, w: on_a_grid(x, (1,)) @ w.T),
        ("CONV_2D", S, (5, 1, 1, 4), CONV, {"StrideH": 1, "StrideW": 1},
         lambda x, w: convolved(on_a_grid(x, (3,)), w, strides=(1, 1))),
        ("CONV_2D", S, (5, 3, 2, 4), CONV, WINDOW,
         lambda x, w: convolved(on_a_grid(x, (1, 2, 3)), w, **WIDE)),
        ("DEPTHWISE_CONV_2D", S, (1, 3, 2, 4), DEPTHWISE, {**WINDOW, "DepthMultiplier": 1},
         lambda x, w: depthwise(on_a_grid(x, (1, 2, 3)), w, np.zeros(4), **WIDE)),
    ],
    ids=["product", "pointwise", "convolution", "depthwise"],
)  # fmt: skip
def test_weights_alone_may_be_integers(
    operator: str, shape: Sequence[int], weights: Sequence[int], options: str,
    fields: dict[str, int], want: Callable[..., Any], tmp_path: Path,
) -> None:  # fmt: skip
    """Then what comes in is rounded while the model runs. Zeros stay zeros."""
    axis = 3 if operator.startswith("DEPTH") else 0
    w = RNG.integers(-127, 128, weights).astype(np.int8)
    scales = RNG.uniform(0.01, 0.02, weights[axis]).astype(np.float32)
    real = w * scales.reshape([-1 if d == axis else 1 for d in range(w.ndim)])
    x = RNG.uniform(-1, 3, shape).astype(np.float32)
    x[-1] = 0
    expected = want(x, real)
    tensors = {"x": Tensor(shape), "w": Tensor.of(w, scales=scales.tolist(), axis=axis),
               "b": Tensor.of(np.zeros(weights[axis], np.float32)),
               "y0": Tensor(expected.shape)}  # fmt: skip
    data = model(tensors, [Op(operator, ["x", "w", "b"], ["y0"], options, fields)], ["x"], ["y0"])
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    got = evaluate(read_tflite(path), {"x": x})["y0"]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    if Interpreter is not None:
        np.testing.assert_allclose(got, litert(data, {"x": x})["y0"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("activation", "axis", "text"),
    [(4, 0, "activation TANH of a quantised"), (0, 1, "a scale per index of axis 1")],
)
def test_what_quantised_operators_lack(
    activation: int, axis: int, text: str, tmp_path: Path
) -> None:
    w = Tensor.of(np.zeros((4, 4), np.int8), scales=[0.01] * 4, axis=axis)
    tensors = {"x": X.tensor((3, 4)), "w": w, "y": OTHER.tensor((3, 4))}
    fields = {"FusedActivationFunction": activation}
    op = Op("FULLY_CONNECTED", ["x", "w"], ["y"], "FullyConnectedOptions", fields)
    path = tmp_path / "model.tflite"
    path.write_bytes(model(tensors, [op], ["x"], ["y"]))
    with pytest.raises(UnsupportedError, match=text):
        read_tflite(path)
