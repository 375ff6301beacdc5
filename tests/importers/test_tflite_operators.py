"""Every TFLite operator that the importer knows, against NumPy and, where it is installed, LiteRT.

Graphs run by the references of clnet's ops, as they were imported and once more rewritten: what
lies between is the format's and the rewrites', not the kernels'.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate import evaluate

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

from importers.tflite_models import Tensor, single

from clnet import ModelError, UnsupportedError
from clnet.importers.tflite import (
    converters,  # noqa: F401  (registers them)
    read_tflite,
)
from clnet.importers.tflite.registry import _CONVERTERS
from clnet.passes.pipeline import optimize

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    Interpreter = None

RNG = np.random.default_rng(3)
Arrays = Mapping[str, np.ndarray]


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return RNG.uniform(low, high, shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@dataclass(frozen=True)
class Case:
    """An operator over inputs (fed) and constants, and what NumPy makes of them."""

    operator: str
    arguments: dict[str, np.ndarray]  #: names that begin with c are constants
    want: Callable[..., Any]
    options: str = ""
    fields: tuple[tuple[str, Any], ...] = ()
    litert: bool = True  #: whether LiteRT takes it, too

    def expected(self) -> list[np.ndarray]:
        """The outputs; NumPy's doubles are float32 in the file."""
        made = self.want(*(a for n, a in self.arguments.items() if not n.startswith("absent")))
        arrays = map(np.asarray, made if isinstance(made, tuple | list) else (made,))
        return [a.astype(np.float32) if a.dtype == np.float64 else a for a in arrays]

    def model(self) -> bytes:
        """The file."""
        feeds = {
            n: Tensor.of(a) if n.startswith("c") else Tensor(a.shape, a.dtype.name)
            for n, a in self.arguments.items()
        }
        outputs = [Tensor(a.shape, a.dtype.name) for a in self.expected()]
        return single(self.operator, feeds, outputs, self.options, **dict(self.fields))

    def feeds(self) -> dict[str, np.ndarray]:
        """What is fed."""
        return {n: a for n, a in self.arguments.items() if n[0] not in "ca"}


def case(
    operator: str, arguments: Sequence[Any] | dict[str, Any], want: Callable[..., Any],
    options: str = "", litert: bool = True, **fields: Any,
) -> Case:  # fmt: skip
    """A case; of a list of arguments the first is fed and integers are constants."""
    if not isinstance(arguments, dict):
        fed = [i == 0 or a.dtype.kind == "f" for i, a in enumerate(arguments)]
        arguments = {f"{'x' if f else 'c'}{i}": a
                     for i, (f, a) in enumerate(zip(fed, arguments, strict=True))}  # fmt: skip
    return Case(operator, arguments, want, options, tuple(fields.items()), litert)


# ---- images -------------------------------------------------------------------------------------


def padded(x: np.ndarray, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
           same: bool, value: float) -> np.ndarray:  # fmt: skip
    """An image with the padding of SAME, the larger half behind."""
    pads = [(0, 0)]
    for i in range(2):
        extent = (kernel[i] - 1) * dilations[i] + 1
        positions = math.ceil(x.shape[1 + i] / strides[i])
        total = max(0, (positions - 1) * strides[i] + extent - x.shape[1 + i]) if same else 0
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)], constant_values=value)


def patches(x: np.ndarray, kernel: Sequence[int], strides: Sequence[int],
            dilations: Sequence[int] = (1, 1), same: bool = False, value: float = 0.0
            ) -> np.ndarray:  # fmt: skip
    """[n, rows, columns, kernel height, kernel width, channels]"""
    x = padded(x, kernel, strides, dilations, same, value)
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(x, extents, (1, 2))
    windows = windows[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]]
    return windows.transpose(0, 1, 2, 4, 5, 3)


def convolved(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None, **window: Any) -> Any:
    """Weights are [outputs, height, width, inputs / groups]."""
    p = patches(x, w.shape[1:3], **window).astype(np.float64)
    groups = x.shape[3] // w.shape[3]
    p = p.reshape(*p.shape[:5], groups, w.shape[3])
    kernels = w.reshape(groups, -1, *w.shape[1:])
    y = np.einsum("nijhwgc,gmhwc->nijgm", p, kernels)
    y = y.reshape(*y.shape[:3], -1)
    return (y if b is None else y + b).astype(np.float32)


def depthwise(x: np.ndarray, w: np.ndarray, b: np.ndarray, **window: Any) -> Any:
    p = patches(x, w.shape[1:3], **window).astype(np.float64)
    y = np.einsum("nijhwc,hwcm->nijcm", p, w.reshape(*w.shape[1:3], x.shape[3], -1))
    return (y.reshape(*y.shape[:3], -1) + b).astype(np.float32)


def deconvolved(shape: Sequence[int], w: np.ndarray, x: np.ndarray, strides: Sequence[int],
                same: bool, b: np.ndarray | None = None) -> Any:  # fmt: skip
    """Scatter each pixel times the kernel, then crop."""
    n, rows, columns, channels = shape
    y = np.zeros((n, rows + 50, columns + 50, channels))
    begins = [0, 0]
    if same:
        for i in range(2):
            positions = math.ceil(shape[1 + i] / strides[i])
            begins[i] = max(0, (positions - 1) * strides[i] + w.shape[1 + i] - shape[1 + i]) // 2
    for i, j in np.ndindex(*x.shape[1:3]):
        top, left = i * strides[0], j * strides[1]
        y[:, top : top + w.shape[1], left : left + w.shape[2]] += np.einsum(
            "nc,mhwc->nhwm", x[:, i, j].astype(np.float64), w
        )
    y = y[:, begins[0] : begins[0] + rows, begins[1] : begins[1] + columns]
    return (y if b is None else y + b).astype(np.float32)


def bilinear(x: np.ndarray, size: Sequence[int], align: bool = False, half: bool = False) -> Any:
    for axis in (1, 2):
        n, m = x.shape[axis], size[axis - 1]
        scale = (n - 1) / (m - 1) if align and m > 1 else n / m
        at = (np.arange(m) + 0.5) * scale - 0.5 if half else np.arange(m) * scale
        low = np.maximum(np.floor(at), 0).astype(int)
        high = np.minimum(low + 1, n - 1)
        part = np.clip(at - low, 0, 1).reshape([-1 if a == axis else 1 for a in range(4)])
        x = x.take(low, axis) * (1 - part) + x.take(high, axis) * part
    return x.astype(np.float32)


def nearest(x: np.ndarray, size: Sequence[int], align: bool = False, half: bool = False) -> Any:
    for axis in (1, 2):
        n, m = x.shape[axis], size[axis - 1]
        scale = np.float32((n - 1) / (m - 1) if align and m > 1 else n / m)
        at = (np.arange(m, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
        index = np.floor(at + np.float32(0.5)) if align else np.floor(at)
        x = x.take(index.astype(int).clip(0, n - 1), axis)
    return x


CONV, DEPTHWISE, TRANSPOSED, POOL = (f"{n}Options" for n in (
    "Conv2D", "DepthwiseConv2D", "TransposeConv", "Pool2D"))  # fmt: skip
STRIDES = {"StrideH": 2, "StrideW": 1}
IMAGE = real(2, 9, 10, 4)


def images() -> list[Case]:
    cases = []
    for same in (True, False):
        window = {"strides": (2, 1), "same": same}
        padding = {"Padding": 0 if same else 1, **STRIDES}
        w, b = real(6, 3, 4, 4), real(6)
        cases += [
            case("CONV_2D", {"x": IMAGE, "cw": w, "cb": b},
                 lambda x, w, b, window=window: convolved(x, w, b, **window), CONV,
                 **padding, DilationHFactor=1, DilationWFactor=1),
            case("CONV_2D", {"x": IMAGE, "cw": w},
                 lambda x, w, same=same: convolved(x, w, strides=(1, 1), dilations=(2, 3),
                                                   same=same),
                 CONV, Padding=padding["Padding"], StrideH=1, StrideW=1, DilationHFactor=2,
                 DilationWFactor=3, litert=False),  # LiteRT wants a bias there
            case("CONV_2D", {"x": IMAGE, "cw": real(6, 2, 2, 2), "cb": b},
                 lambda x, w, b, window=window: convolved(x, w, b, **window), CONV, **padding),
            case("DEPTHWISE_CONV_2D", {"x": IMAGE, "cw": real(1, 3, 2, 12), "cb": real(12)},
                 lambda x, w, b, window=window: depthwise(x, w, b, **window), DEPTHWISE,
                 **padding, DepthMultiplier=3),
            case("AVERAGE_POOL_2D", [IMAGE],
                 lambda x, same=same: np.nanmean(
                     patches(x, (3, 2), (2, 1), same=same, value=np.nan), (3, 4)),
                 POOL, **padding, FilterHeight=3, FilterWidth=2),
            case("MAX_POOL_2D", [IMAGE],
                 lambda x, same=same: patches(x, (3, 2), (2, 1), same=same, value=-9).max((3, 4)),
                 POOL, **padding, FilterHeight=3, FilterWidth=2),
            case("L2_POOL_2D", [IMAGE],
                 lambda x, same=same: np.sqrt(np.nanmean(
                     patches(x, (3, 2), (2, 1), same=same, value=np.nan) ** 2, (3, 4))),
                 POOL, **padding, FilterHeight=3, FilterWidth=2),
        ]  # fmt: skip
        for shape, kernel in (((2, 17, 10, 5), (3, 3)), ((2, 18, 10, 5), (2, 1)),
                              ((2, 9 * 2 + 3, 12, 5), (5, 3))):  # fmt: skip
            if same and shape[1] != 17 and kernel != (2, 1):
                continue
            if not same:
                shape = (2, 8 * 2 + kernel[0], 9 + kernel[1], 5)
            for bias in (True, False):
                arguments = {"cs": whole(*shape), "cw": real(5, *kernel, 4), "x": IMAGE}
                if bias:
                    arguments["cb"] = real(5)
                cases.append(case(
                    "TRANSPOSE_CONV", arguments,
                    lambda s, w, x, b=None, same=same: deconvolved(s, w, x, (2, 1), same, b),
                    TRANSPOSED, **padding))  # fmt: skip
    for align, half in ((False, False), (True, False), (False, True)):
        flags = {"AlignCorners": align, "HalfPixelCenters": half}
        for size in ((18, 20), (5, 13), (1, 1)):
            cases += [
                case("RESIZE_BILINEAR", [IMAGE, whole(*size)],
                     lambda x, s, a=align, h=half: bilinear(x, s, a, h), "ResizeBilinearOptions",
                     **flags),
                case("RESIZE_NEAREST_NEIGHBOR", [IMAGE, whole(*size)],
                     lambda x, s, a=align, h=half: nearest(x, s, a, h),
                     "ResizeNearestNeighborOptions", **flags),
            ]  # fmt: skip
    blocks = real(2, 6, 4, 3)
    cases += [
        case("SPACE_TO_DEPTH", [blocks],
             lambda x: x.reshape(2, 3, 2, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5)
             .reshape(2, 3, 2, 12), "SpaceToDepthOptions", BlockSize=2),
        case("DEPTH_TO_SPACE", [real(2, 3, 2, 12)],
             lambda x: x.reshape(2, 3, 2, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5)
             .reshape(2, 6, 4, 3), "DepthToSpaceOptions", BlockSize=2),
        case("SPACE_TO_BATCH_ND", [real(1, 5, 3, 2), whole(2, 2), np.array([[0, 1], [1, 0]], "i4")],
             lambda x, b, p: np.pad(x, [(0, 0), *p, (0, 0)]).reshape(1, 3, 2, 2, 2, 2)
             .transpose(2, 4, 0, 1, 3, 5).reshape(4, 3, 2, 2), "SpaceToBatchNDOptions"),
        case("BATCH_TO_SPACE_ND", [real(4, 3, 2, 2), whole(2, 2), np.array([[0, 1], [1, 0]], "i4")],
             lambda x, b, p: x.reshape(2, 2, 1, 3, 2, 2).transpose(2, 3, 0, 4, 1, 5)
             .reshape(1, 6, 4, 2)[:, :5, 1:], "BatchToSpaceNDOptions"),
        case("LOCAL_RESPONSE_NORMALIZATION", [IMAGE],
             lambda x: x / (2 + 0.5 * sum(
                 np.pad(x**2, [(0, 0)] * 3 + [(1, 1)])[..., i : i + 4] for i in range(3))) ** 0.7,
             "LocalResponseNormalizationOptions", Radius=1, Bias=2.0, Alpha=0.5, Beta=0.7),
    ]  # fmt: skip
    return cases


# ---- elementwise --------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


UNARY: dict[str, tuple[Callable[..., Any], str]] = {
    "ABS": (np.abs, "AbsOptions"), "NEG": (np.negative, "NegOptions"),
    "EXP": (np.exp, "ExpOptions"), "SIN": (np.sin, ""),
    "COS": (np.cos, "CosOptions"), "FLOOR": (np.floor, ""),
    "CEIL": (np.ceil, ""), "ROUND": (np.rint, ""), "SQUARE": (np.square, "SquareOptions"),
    "SIGN": (np.sign, ""),
    "RELU": (lambda x: np.maximum(x, 0), ""), "RELU6": (lambda x: np.clip(x, 0, 6), ""),
    "RELU_N1_TO_1": (lambda x: np.clip(x, -1, 1), ""), "LOGISTIC": (sigmoid, ""),
    "RELU_0_TO_1": (lambda x: np.clip(x, 0, 1), ""),
    "TANH": (np.tanh, ""), "ELU": (lambda x: np.where(x < 0, np.expm1(x), x), ""),
    "HARD_SWISH": (lambda x: x * np.clip(x + 3, 0, 6) / 6, "HardSwishOptions"),
    "ZEROS_LIKE": (np.zeros_like, "ZerosLikeOptions"),
}  # fmt: skip
POSITIVE: dict[str, Callable[..., Any]] = {
    "LOG": np.log, "SQRT": np.sqrt, "RSQRT": lambda x: 1 / np.sqrt(x),
}  # fmt: skip
BINARY: dict[str, tuple[Callable[..., Any], str]] = {
    "ADD": (np.add, "AddOptions"), "SUB": (np.subtract, "SubOptions"),
    "MUL": (np.multiply, "MulOptions"), "DIV": (np.divide, "DivOptions"),
    "MAXIMUM": (np.maximum, "MaximumMinimumOptions"), "FLOOR_DIV": (np.floor_divide, ""),
    "MINIMUM": (np.minimum, "MaximumMinimumOptions"), "FLOOR_MOD": (np.mod, ""),
    "SQUARED_DIFFERENCE": (lambda a, b: (a - b) ** 2, "SquaredDifferenceOptions"),
    "EQUAL": (np.equal, "EqualOptions"), "NOT_EQUAL": (np.not_equal, "NotEqualOptions"),
    "LESS": (np.less, "LessOptions"), "LESS_EQUAL": (np.less_equal, "LessEqualOptions"),
    "GREATER": (np.greater, "GreaterOptions"),
    "GREATER_EQUAL": (np.greater_equal, "GreaterEqualOptions"),
}  # fmt: skip
ACTIVATIONS = {1: lambda x: np.maximum(x, 0), 2: lambda x: np.clip(x, -1, 1),
               3: lambda x: np.clip(x, 0, 6), 4: np.tanh, 5: lambda x: (x < 0) * 1.0}  # fmt: skip


def functions() -> list[Case]:
    x = real(2, 3, 4)
    divisor = real(3, 1, low=0.3)
    yes = np.array([[True], [False], [True]])
    cases = [case(n, [x], f, o) for n, (f, o) in UNARY.items()]
    cases += [case(n, [np.abs(x) + 0.1], f) for n, f in POSITIVE.items()]
    cases += [case(n, [x, divisor], f, o) for n, (f, o) in BINARY.items()]
    cases += [
        case("ADD", [x, x], lambda a, b, f=f: f(a + b), "AddOptions", litert=n < 4,
             FusedActivationFunction=n)
        for n, f in ACTIVATIONS.items()
    ]  # fmt: skip
    integers = RNG.integers(-9, 9, (2, 3)).astype(np.int32)
    by = np.array([[2, -3, 4]], np.int32)
    cases += [
        case(n, [integers, by], f, o)
        for n, f, o in (("FLOOR_DIV", np.floor_divide, ""), ("FLOOR_MOD", np.mod, ""),
                        ("ADD", np.add, "AddOptions"), ("MUL", np.multiply, "MulOptions"),
                        ("DIV", lambda a, b: np.trunc(a / b).astype("i4"), "DivOptions"))
    ]  # fmt: skip
    slope = real(4)
    cases += [
        case("POW", [np.abs(x), real(4)], np.power, "PowOptions"),
        case("FAKE_QUANT", [x], lambda x: np.rint(x.clip(-12 / 15, 18 / 15) * 7.5) / 7.5,
             "FakeQuantOptions", Min=-0.8, Max=1.2, NumBits=4, NarrowRange=False),
        case("LEAKY_RELU", [x], lambda x: np.where(x < 0, 0.3 * x, x), "LeakyReluOptions",
             Alpha=0.3),
        case("PRELU", {"x": IMAGE, "ca": real(1, 1, 4)}, lambda x, a: np.where(x < 0, a * x, x)),
        case("PRELU", {"x": x, "ca": slope}, lambda x, a: np.where(x < 0, a * x, x)),
        case("GELU", [x], lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / 2**0.5)),
             "GeluOptions", Approximate=False),
        case("GELU", [x], lambda x: 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5
                                                          * (x + 0.044715 * x**3))),
             "GeluOptions", Approximate=True),
        case("ADD_N", [x, x, x], lambda a, b, c: a + b + c, "AddNOptions"),
        case("LOGICAL_AND", {"x": yes, "z": ~yes[:, 0]}, np.logical_and, "LogicalAndOptions"),
        case("LOGICAL_OR", {"x": yes, "z": ~yes[:, 0]}, np.logical_or, "LogicalOrOptions"),
        case("LOGICAL_NOT", [yes], np.logical_not, "LogicalNotOptions"),
        case("SELECT_V2", {"x": yes, "z": x, "w": real(4)}, np.where, "SelectV2Options"),
        case("SELECT", {"x": yes[:, 0], "z": real(3, 2), "w": real(3, 2)},
             lambda c, a, b: np.where(c[:, None], a, b), "SelectOptions"),
        case("CAST", [x], lambda x: x.astype("i4"), "CastOptions", InDataType=0, OutDataType=2),
        case("CAST", [integers], lambda x: x.astype("f4"), "CastOptions", InDataType=2,
             OutDataType=0),
        case("DEQUANTIZE", {"ch": x.astype("f2")}, lambda h: h.astype("f4"), litert=False),
        case("SOFTMAX", [x], lambda x: np.exp(0.5 * x) / np.exp(0.5 * x).sum(-1, keepdims=True),
             "SoftmaxOptions", Beta=0.5),
        case("LOG_SOFTMAX", [x], lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
             "LogSoftmaxOptions"),
        case("L2_NORMALIZATION", [x], lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
             "L2NormOptions"),
    ]  # fmt: skip
    return cases


# ---- shapes and movement ------------------------------------------------------------------------

SLICES: list[tuple[Any, dict[str, int], tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    (np.s_[0:2, 1:3, 1:4:2], {}, (0, 1, 1), (2, 3, 4), (1, 1, 2)),
    (np.s_[:, ::-1, 3:0:-1], {"BeginMask": 3, "EndMask": 3}, (7, 7, 3), (7, 7, 0), (1, -1, -1)),
    (np.s_[:, -2:, -3:-1], {"BeginMask": 1, "EndMask": 3}, (0, -2, -3), (0, 9, -1), (1, 1, 1)),
    (np.s_[1, :, -1], {"ShrinkAxisMask": 5, "BeginMask": 2, "EndMask": 2}, (1, 0, -1), (2, 0, 0),
     (1, 1, 1)),
    (np.s_[..., 1:3], {"EllipsisMask": 1}, (0, 1), (0, 3), (1, 1)),
    (np.s_[1, ..., 2], {"EllipsisMask": 2, "ShrinkAxisMask": 5}, (1, 0, 2), (2, 0, 3), (1, 1, 1)),
    (np.s_[:, None, 1:2], {"NewAxisMask": 2, "BeginMask": 1, "EndMask": 1}, (0, 0, 1), (0, 0, 2),
     (1, 1, 1)),
    (np.s_[1:], {}, (1,), (5,), (1,)),
    (np.s_[..., ::2], {"EllipsisMask": 1, "BeginMask": 2, "EndMask": 2}, (0, 0), (0, 0), (1, 2)),
]  # fmt: skip


def movements() -> list[Case]:
    x = real(2, 3, 4)
    pads = np.array([[0, 1], [2, 0], [1, 1]], np.int32)
    cases = [
        case("STRIDED_SLICE", [x, *map(np.int32, (list(b), list(e), list(s)))],
             lambda x, *_, part=part: x[part], "StridedSliceOptions", **masks)
        for part, masks, b, e, s in SLICES
    ]  # fmt: skip
    for axis in (1, -1):
        cases += [
            case("CONCATENATION", [x, x], lambda a, b, axis=axis: np.concatenate([a, b], axis),
                 "ConcatenationOptions", Axis=axis),
            case("PACK", [x, x], lambda a, b, axis=axis: np.stack([a, b], axis), "PackOptions",
                 Axis=axis, ValuesCount=2),
            case("UNPACK", [x], lambda x, axis=axis: tuple(np.moveaxis(x, axis, 0)),
                 "UnpackOptions", Axis=axis, Num=x.shape[axis]),
            case("GATHER", [x, whole(2, 0, 1)], lambda x, i, axis=axis: x.take(i, axis),
                 "GatherOptions", Axis=axis),
            case("EXPAND_DIMS", [x, np.array(axis, "i4")], np.expand_dims, "ExpandDimsOptions"),
            case("CUMSUM", [x, np.array(axis, "i4")], lambda x, a: np.cumsum(x, a),
                 "CumsumOptions"),
        ]  # fmt: skip
    cases += [
        case("RESHAPE", [x, whole(4, -1)], lambda x, s: x.reshape(4, 6), "ReshapeOptions",
             NewShape=[4, -1]),
        case("RESHAPE", [x], lambda x: x.reshape(6, 4), "ReshapeOptions", NewShape=[6, -1]),
        case("SQUEEZE", [real(1, 3, 1, 2)], lambda x: x.reshape(3, 2), "SqueezeOptions"),
        case("SQUEEZE", [real(1, 3, 1, 2)], lambda x: x.reshape(1, 3, 2), "SqueezeOptions",
             SqueezeDims=[-2]),
        case("TRANSPOSE", [x, whole(2, 0, 1)], np.transpose, "TransposeOptions"),
        case("TILE", [x, whole(2, 1, 3)], np.tile, "TileOptions"),
        case("BROADCAST_TO", [x, whole(3, 2, 3, 4)], np.broadcast_to, "BroadcastToOptions"),
        case("REVERSE_V2", [x, whole(1)], np.flip, "ReverseV2Options"),
        case("SLICE", [x, whole(0, 1, 2), whole(-1, 2, 1)], lambda x, b, s: x[:, 1:3, 2:3],
             "SliceOptions"),
        case("SPLIT", {"ca": np.array(2, "i4"), "x": x}, lambda a, x: np.split(x, 2, 2),
             "SplitOptions", NumSplits=2),
        case("SPLIT_V", [x, whole(1, -1), np.array(2, "i4")], lambda x, s, a: np.split(x, [1], 2),
             "SplitVOptions", NumSplits=2),
        case("PAD", [x, pads], np.pad, "PadOptions"),
        case("PADV2", {"x": x, "cp": pads, "cv": np.float32(7)},
             lambda x, p, v: np.pad(x, p, constant_values=v), "PadV2Options"),
        case("MIRROR_PAD", [x, pads], lambda x, p: np.pad(x, p, "reflect"), "MirrorPadOptions",
             Mode=0),
        case("MIRROR_PAD", [x, pads], lambda x, p: np.pad(x, p, "symmetric"), "MirrorPadOptions",
             Mode=1),
        case("GATHER", {"x": x, "ci": np.array([[1, 0], [2, 2]], "i4")},
             lambda x, i: np.take_along_axis(x, i[..., None], 1), "GatherOptions", Axis=1,
             BatchDims=1),
        case("GATHER_ND", {"x": x, "ci": np.array([[1, 2], [0, 1]], "i4")},
             lambda x, i: x[i[:, 0], i[:, 1]], "GatherNdOptions"),
        case("EMBEDDING_LOOKUP", {"x": whole(2, 0), "cw": real(3, 4)}, lambda i, w: w[i]),
        case("SHAPE", [x], lambda x: np.array(x.shape, "i4"), "ShapeOptions", OutType=2),
        case("RANK", [x], lambda x: np.array(3, "i4"), "RankOptions"),
        case("BROADCAST_ARGS", {"ca": whole(3, 1, 4), "cb": whole(2, 1)},
             lambda a, b: np.array(np.broadcast_shapes(a, b), "i4")),
        case("FILL", {"cs": whole(2, 3), "x": np.float32(1.5)}, lambda s, v: np.full(s, v),
             "FillOptions"),
        case("RANGE", {"ca": np.int32(1), "cb": np.int32(8), "cc": np.int32(3)},
             lambda a, b, c: np.arange(a, b, c, "i4"), "RangeOptions", litert=False),
        case("ONE_HOT", {"x": np.array([[0, 2], [1, 9]], "i4"), "cd": np.int32(3),
                         "ch": np.float32(2), "co": np.float32(-1)},
             lambda i, d, h, o: np.where(i[..., None] == np.arange(3), h, o), "OneHotOptions",
             Axis=-1),
        case("CUMSUM", [x, np.int32(1)],
             lambda x, a: np.flip(np.cumsum(np.flip(x, 1), 1), 1) - x, "CumsumOptions",
             Exclusive=True, Reverse=True),
        case("TOPK_V2", [x, np.int32(2)],
             lambda x, k: (-np.sort(-x)[..., :2], np.argsort(-x)[..., :2].astype("i4")),
             "TopKV2Options"),
    ]  # fmt: skip
    for keep in (True, False):
        for name, f in (("MEAN", np.mean), ("SUM", np.sum), ("REDUCE_MAX", np.max),
                        ("REDUCE_MIN", np.min), ("REDUCE_PROD", np.prod)):  # fmt: skip
            cases.append(
                case(name, [x, whole(0, -1)],
                     lambda x, a, f=f, keep=keep: f(x, (0, 2), keepdims=keep), "ReducerOptions",
                     KeepDims=keep)
            )  # fmt: skip
    truths = RNG.random((3, 4)) < 0.5
    cases += [
        case("REDUCE_ANY", [truths, whole(1)], lambda x, a: x.any(1), "ReducerOptions"),
        case("REDUCE_ALL", [truths, whole(1)], lambda x, a: x.all(1), "ReducerOptions"),
        case("ARG_MAX", [x, np.int32(-1)], lambda x, a: x.argmax(-1).astype("i4"),
             "ArgMaxOptions", OutputType=2),
        case("ARG_MIN", [x, np.int32(1)], lambda x, a: x.argmin(1), "ArgMinOptions", OutputType=4),
    ]  # fmt: skip
    return cases


def detections() -> list[Case]:
    boxes = np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [1, 1, 0, -0.1], [0, 10, 1, 11]], "f4")
    scores = np.array([0.9, 0.75, 0.6, 0.95], "f4")
    given = {"x": boxes, "z": scores, "cn": np.int32(3), "co": np.float32(0.5),
             "cs": np.float32(0.5)}  # fmt: skip
    kept = np.array([3, 0, 0], "i4"), np.array([0.95, 0.9, 0], "f4"), np.array(2, "i4")
    return [
        case("NON_MAX_SUPPRESSION_V4", given, lambda *_: kept[::2], "NonMaxSuppressionV4Options"),
        case("NON_MAX_SUPPRESSION_V5", {**given, "cw": np.float32(0)}, lambda *_: kept,
             "NonMaxSuppressionV5Options"),
    ]  # fmt: skip


def products() -> list[Case]:
    w, b = real(5, 4), real(5)
    return [
        case("FULLY_CONNECTED", {"x": real(3, 4), "cw": w, "cb": b}, lambda x, w, b: x @ w.T + b,
             "FullyConnectedOptions"),
        case("FULLY_CONNECTED", {"x": real(3, 2, 2), "cw": w},
             lambda x, w: x.reshape(3, 4) @ w.T, "FullyConnectedOptions"),
        case("FULLY_CONNECTED", {"x": real(2, 3, 4), "cw": w, "absent": b},
             lambda x, w: x @ w.T, "FullyConnectedOptions", KeepNumDims=True),
        case("FULLY_CONNECTED", {"x": real(3, 4), "w": w, "cb": b}, lambda x, w, b: x @ w.T + b,
             "FullyConnectedOptions"),
        case("BATCH_MATMUL", [real(2, 3, 4), real(2, 4, 5)], np.matmul, "BatchMatMulOptions"),
        case("BATCH_MATMUL", [real(2, 4, 3), real(5, 4)], lambda a, b: a.swapaxes(1, 2) @ b.T,
             "BatchMatMulOptions", AdjX=True, AdjY=True, litert=False),
    ]  # fmt: skip


CASES = [*images(), *functions(), *movements(), *products(), *detections()]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{c.operator}-{i}" for i, c in enumerate(CASES)]
)  # fmt: skip
def test_operator_is_what_numpy_says(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(case.model())
    graph = read_tflite(path)
    wants = case.expected()
    check(evaluate(graph, case.feeds()), wants)
    optimize(graph)
    check(evaluate(graph, case.feeds()), wants)


@pytest.mark.skipif(Interpreter is None, reason="ai-edge-litert is not installed")
@pytest.mark.parametrize(
    "case", [c for c in CASES if c.litert],
    ids=[f"{c.operator}-{i}" for i, c in enumerate(CASES) if c.litert],
)  # fmt: skip
def test_operator_is_what_litert_says(case: Case) -> None:
    wants = case.expected()
    interpreter = Interpreter(model_content=case.model())
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], case.feeds()[detail["name"]])
    interpreter.invoke()
    outputs = {d["name"]: interpreter.get_tensor(d["index"])
               for d in interpreter.get_output_details()}  # fmt: skip
    check(outputs, wants)


def check(outputs: Mapping[str, np.ndarray], wants: Sequence[np.ndarray]) -> None:
    """Outputs are named y0, y1…"""
    assert len(outputs) == len(wants)
    for i, want in enumerate(wants):
        got = outputs[f"y{i}"]
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        if want.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(got, want)


def test_every_operator_has_a_case() -> None:
    elsewhere = {"QUANTIZE", "DENSIFY", "BITWISE_XOR"}  # and those of test_tflite_recurrent.py
    elsewhere |= {"SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"}
    builtin = {name for name, custom in _CONVERTERS if not custom}
    assert builtin == {c.operator for c in CASES} | elsewhere


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (case("WHERE", [real(3)], lambda x: np.zeros((3, 1), "i8")), r"WHERE \(109\)"),
        (case("Own\n", [real(3)], lambda x: x), "custom operator 'Own"),
        (case("RESHAPE", [real(4), whole(3, -1)], lambda x, s: x), "cannot reshape"),
        (case("RESHAPE", {"x": real(4), "s": whole(2, 2)}, lambda x, s: x), "must be constant"),
        (case("CONV_2D", [IMAGE, real(6, 3, 3, 3)], lambda x, w: x, CONV, StrideH=1, StrideW=1),
         "do not fit"),
        (case("CONV_2D", [IMAGE, real(6, 3, 3, 4)], lambda x, w: x, CONV), "must be positive"),
        (case("CONV_2D", [IMAGE, real(6, 3, 3, 4)], lambda x, w: x), "options are missing"),
        (case("SOFTMAX", [real(3)], lambda x: x, "PadOptions"), "options of another operator"),
        (case("PAD", [real(3), np.array([[-1, 0]], "i4")], lambda x, p: x), "negative"),
        (case("GATHER", [real(3), whole(0)], lambda x, i: x, "GatherOptions", Axis=4), "axis 4"),
    ],
)  # fmt: skip
def test_wrong_operators_are_refused(case: Case, text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(case.model())
    with pytest.raises((ModelError, UnsupportedError), match=text) as caught:
        read_tflite(path)
    assert len(str(caught.value).splitlines()) == 1 and str(path) in str(caught.value)
