"""Every layer as Caffe computes it, said again in plain NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from evaluate import evaluate
from importers.caffe_models import build, inputs_text, layer_text, run_layer

from clnet.errors import ModelError, UnsupportedError

RNG = np.random.default_rng(0)


def values(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return RNG.uniform(low, high, shape).astype(np.float32)


def check(
    want: np.ndarray | Sequence[np.ndarray],
    kind: str,
    rest: str,
    *arrays: np.ndarray,
    blobs: Sequence[np.ndarray] = (),
) -> None:
    """One layer gives ``want``; several tops where that is a list."""
    wants = list(want) if isinstance(want, list | tuple) else [np.asarray(want)]
    tops = [f"y{i}" for i in range(len(wants))]
    for got, expected in zip(run_layer(kind, rest, arrays, blobs, tops), wants, strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


# Convolutions


def convolved(
    x: np.ndarray, w: np.ndarray, stride: Any = 1, pad: Any = 0, dilation: Any = 1, group: int = 1
) -> np.ndarray:
    """Every product on its own."""
    rank = x.ndim - 2
    stride, pad, dilation = (np.broadcast_to(v, rank) for v in (stride, pad, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pad)])
    reach = dilation * (np.array(w.shape[2:]) - 1) + 1
    size = (np.array(x.shape[2:]) - reach) // stride + 1
    y = np.zeros((len(x), len(w), *size))
    for n, m, *at in product(*map(range, y.shape)):
        first = m // (len(w) // group) * w.shape[1]
        for c, *tap in product(*map(range, w.shape[1:])):
            where = tuple(np.array(at) * stride + np.array(tap) * dilation)
            y[(n, m, *at)] += w[(m, c, *tap)] * x[(n, first + c, *where)]
    return y


@pytest.mark.parametrize(
    ("rest", "shape", "kernel", "options"),
    [
        ("kernel_size: 3 stride: 2 pad: 1", (2, 3, 6, 5), (4, 3, 3, 3), {"stride": 2, "pad": 1}),
        ("kernel_h: 1 kernel_w: 3 pad_w: 2 stride_h: 2 stride_w: 1", (1, 2, 5, 4), (2, 2, 1, 3),
         {"stride": (2, 1), "pad": (0, 2)}),
        ("kernel_size: 3 kernel_size: 2 dilation: 2", (1, 2, 7, 6), (2, 2, 3, 2), {"dilation": 2}),
        ("kernel_size: 2 hole: 2", (1, 2, 5, 6), (2, 2, 2, 2), {"dilation": 2}),
        ("kernel_size: 2 group: 2", (1, 4, 3, 3), (6, 2, 2, 2), {"group": 2}),
        ("kernel_size: 2 pad: 1 stride: 2", (1, 2, 3, 4, 3), (3, 2, 2, 2, 2),
         {"pad": 1, "stride": 2}),
        ("kernel_size: 3", (2, 3, 7), (4, 3, 3), {}),
    ],
)  # fmt: skip
def test_convolution(rest: str, shape: Any, kernel: Any, options: Any) -> None:
    x, w, b = values(*shape), values(*kernel), values(kernel[0])
    want = convolved(x, w, **options)
    param = f"num_output: {kernel[0]} {rest} weight_filler {{ type: 'msra' std: 1 }}"
    channel = (-1, *(1,) * (x.ndim - 2))
    check(want + b.reshape(channel), "Convolution", f"convolution_param {{ {param} }}", x,
          blobs=[w, b])  # fmt: skip
    check(want, "Convolution", f"convolution_param {{ {param} bias_term: false }}", x, blobs=[w])


@pytest.mark.parametrize("group", ["", "group: 3"])
@pytest.mark.parametrize("kind", ["DepthwiseConvolution", "ConvolutionDepthwise"])
def test_depthwise_convolution_has_a_group_for_each_channel(kind: str, group: str) -> None:
    x, w = values(1, 3, 4, 5), values(6, 1, 3, 3)
    param = f"convolution_param {{ num_output: 6 kernel_size: 3 bias_term: false {group} }}"
    check(convolved(x, w, group=3), kind, param, x, blobs=[w])


def test_convolution_of_several_bottoms_shares_its_weights() -> None:
    a, b, w = values(1, 2, 3, 3), values(1, 2, 3, 3), values(2, 2, 2, 2)
    rest = "convolution_param { num_output: 2 kernel_size: 2 bias_term: false }"
    check([convolved(a, w), convolved(b, w)], "Convolution", rest, a, b, blobs=[w])


@pytest.mark.parametrize("group", [1, 2])
def test_deconvolution(group: int) -> None:
    x, w, b = values(1, 4, 3, 4), values(4, 6 // group, 4, 4), values(6)
    stride, pad, size = 2, 1, (2 * 2 + 4, 2 * 3 + 4)
    full = np.zeros((1, 6, *size))
    for c, r, s in product(range(4), range(3), range(4)):
        outputs = np.arange(6).reshape(group, -1)[c // (4 // group)]
        full[0, outputs, r * stride : r * stride + 4, s * stride : s * stride + 4] += (
            x[0, c, r, s] * w[c]
        )
    want = full[:, :, pad:-pad, pad:-pad] + b.reshape(-1, 1, 1)
    rest = f"num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: {group}"
    check(want, "Deconvolution", f"convolution_param {{ {rest} }}", x, blobs=[w, b])


def test_inner_product() -> None:
    x, w, b = values(2, 3, 4), values(5, 12), values(5)
    flat = x.reshape(2, 12)
    check(flat @ w.T + b, "InnerProduct", "inner_product_param { num_output: 5 }", x, blobs=[w, b])
    check(flat @ w.T, "InnerProduct",
          "inner_product_param { num_output: 5 bias_term: false transpose: true }", x,
          blobs=[w.T])  # fmt: skip
    w = values(5, 4)
    check(x @ w.T + b, "InnerProduct", "inner_product_param { num_output: 5 axis: -1 }", x,
          blobs=[w, b])  # fmt: skip


def test_embed() -> None:
    w, b = values(6, 3), values(3)
    rest = "embed_param { num_output: 3 input_dim: 6 }"
    check(w[[[5, 0], [2, 2]]] + b, "Embed", rest, np.array([[5, 0], [2, 2]]), blobs=[w, b])


# Pooling


def pooled(x: np.ndarray, method: str, k: int, s: int, p: int, up: bool) -> np.ndarray:
    """As Caffe's loops have it: round up, drop a window that starts in the padding, clip."""
    size = []
    for d in x.shape[2:]:
        count = ((d + 2 * p - k) / s) + 1
        count = math.ceil(count) if up else math.floor(count)
        if p and (count - 1) * s >= d + p:
            count -= 1
        size.append(count)
    y = np.zeros((*x.shape[:2], *size), np.float64)
    for r, c in np.ndindex(*size):
        starts = (r * s - p, c * s - p)
        ends = [min(a + k, d + p) for a, d in zip(starts, x.shape[2:], strict=True)]
        count = math.prod(e - a for e, a in zip(ends, starts, strict=True))
        part = x[:, :, max(0, starts[0]) : ends[0], max(0, starts[1]) : ends[1]].astype(np.float64)
        if method == "MAX":
            y[:, :, r, c] = part.max((2, 3))
        elif method == "AVE":
            y[:, :, r, c] = part.sum((2, 3)) / count
        else:
            y[:, :, r, c] = (part * part).sum((2, 3)) / part.sum((2, 3))
    return y


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("k", "s", "p"), [(2, 2, 0), (3, 2, 0), (3, 2, 1), (2, 2, 1), (3, 3, 2), (5, 2, 2), (7, 4, 0),
                      (8, 3, 0), (2, 1, 0)]
)  # fmt: skip
@pytest.mark.parametrize("mode", ["", "round_mode: FLOOR", "ceil_mode: false", "ceil_mode: true"])
def test_pooling(method: str, k: int, s: int, p: int, mode: str) -> None:
    up = mode in ("", "ceil_mode: true")
    x = values(2, 2, 7, 8)
    if not up and k > 7 + 2 * p:
        pytest.skip("no window fits")
    rest = f"pooling_param {{ pool: {method} kernel_size: {k} stride: {s} pad: {p} {mode} }}"
    check(pooled(x, method, k, s, p, up), "Pooling", rest, x)


def test_stochastic_pooling_weights_by_shares() -> None:
    x = values(1, 2, 5, 6, low=0.1)
    rest = "pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }"
    check(pooled(x, "STOCHASTIC", 3, 2, 0, True), "Pooling", rest, x)


def test_global_pooling() -> None:
    x = values(2, 3, 4, 5)
    for method, want in (("MAX", x.max((2, 3))), ("AVE", x.mean((2, 3)))):
        rest = f"pooling_param {{ pool: {method} global_pooling: true }}"
        check(want[:, :, None, None], "Pooling", rest, x)


def test_pooling_windows_behind_the_input_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="begins behind 5"):
        run_layer("Pooling", "pooling_param { kernel_size: 1 stride: 3 }", [values(1, 1, 5, 5)])


# Elements

X = values(2, 3, 4, 5)
POSITIVE = values(2, 3, 4, low=0.2)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("kind", "rest", "x", "want"),
    [
        ("ReLU", "", X, np.maximum(X, 0)),
        ("ReLU", "relu_param { negative_slope: 0.1 engine: CAFFE }", X, np.where(X > 0, X, X / 10)),
        ("ReLU6", "", 5 * X, np.clip(5 * X, 0, 6)),
        ("ELU", "elu_param { alpha: 0.5 }", X, np.where(X > 0, X, 0.5 * (np.exp(X) - 1))),
        ("Sigmoid", "", X, sigmoid(X)),
        ("TanH", "", X, np.tanh(X)),
        ("AbsVal", "", X, np.abs(X)),
        ("BNLL", "", X, np.log(1 + np.exp(X))),
        ("Swish", "swish_param { beta: 1.5 }", X, X * sigmoid(1.5 * X)),
        ("Mish", "", X, X * np.tanh(np.log(1 + np.exp(X)))),
        ("HardSwish", "", 3 * X, 3 * X * np.clip(3 * X + 3, 0, 6) / 6),
        ("HardSigmoid", "", 3 * X, np.clip(3 * X + 3, 0, 6) / 6),
        ("HardSigmoid", "hardsigmoid_param { alpha: 0.2 beta: 0.5 }", 3 * X,
         np.clip(0.6 * X + 0.5, 0, 1)),
        ("Clip", "clip_param { min: -1 max: 0.5 }", X, np.clip(X, -1, 0.5)),
        ("Threshold", "threshold_param { threshold: 0.3 }", X, (X > 0.3).astype(np.float32)),
        ("Power", "", X, X),
        ("Power", "power_param { scale: 2 shift: -1 }", X, 2 * X - 1),
        ("Power", "power_param { power: 2 shift: 1 }", X, (1 + X) ** 2),
        ("Power", "power_param { power: 3 }", X, X**3),
        ("Power", "power_param { power: 0.5 scale: 2 }", POSITIVE, np.sqrt(2 * POSITIVE)),
        ("Power", "power_param { power: -1 }", POSITIVE, 1 / POSITIVE),
        ("Power", "power_param { power: 1.7 }", POSITIVE, POSITIVE**1.7),
        ("Power", "power_param { power: 0 }", X, np.ones_like(X)),
        ("Exp", "", X, np.exp(X)),
        ("Exp", "exp_param { base: 2 scale: 3 shift: 1 }", X, 2.0 ** (3 * X + 1)),
        ("Log", "", POSITIVE, np.log(POSITIVE)),
        ("Log", "log_param { base: 10 scale: 3 shift: 1 }", POSITIVE, np.log10(3 * POSITIVE + 1)),
        ("Dropout", "dropout_param { dropout_ratio: 0.3 }", X, X),
        ("Dropout", "dropout_param { dropout_ratio: 0.3 scale_train: false }", X, 0.7 * X),
    ],
)  # fmt: skip
def test_elements(kind: str, rest: str, x: np.ndarray, want: np.ndarray) -> None:
    check(want, kind, rest, x)


def test_dropout_that_also_tests_is_refused() -> None:
    check(X, "Dropout", "dropout_param { sample_weights_test: false }", X)
    with pytest.raises(UnsupportedError, match="sample_weights_test"):
        run_layer("Dropout", "dropout_param { sample_weights_test: true }", [X])


def test_prelu() -> None:
    slopes = values(3)
    want = np.where(X > 0, X, X * slopes.reshape(3, 1, 1))
    check(want, "PReLU", "", X, blobs=[slopes])
    shared = np.float32(0.2).reshape(())
    check(np.where(X > 0, X, X * 0.2), "PReLU", "prelu_param { channel_shared: true }", X,
          blobs=[shared])  # fmt: skip


# Normalisation


@pytest.mark.parametrize("factor", [1.0, 999.98, 0.0])
def test_batch_norm_divides_its_sums_by_their_factor(factor: float) -> None:
    mean, variance = values(3), values(3, low=0.5)
    scale = 1 / factor if factor else 0
    m, v = (a.reshape(3, 1, 1) * scale for a in (mean, variance))
    blobs = [mean, variance, np.array([factor])]
    check((X - m) / np.sqrt(v + 0.1), "BatchNorm", "batch_norm_param { eps: 0.1 }", X, blobs=blobs)


def test_batch_norm_of_nvidia_has_scale_and_bias() -> None:
    blobs = [values(3), values(3, low=0.5), np.ones(1), values(3), values(3)]
    m, v, _, s, b = (a.reshape(-1, 1, 1) for a in blobs)
    rest = "batch_norm_param { scale_bias: true use_global_stats: true }"
    check((X - m) / np.sqrt(v + 1e-5) * s + b, "BatchNorm", rest, X, blobs=blobs)


def test_batch_norm_by_the_batch_itself() -> None:
    m, v = X.mean((0, 2, 3), keepdims=True), X.var((0, 2, 3), keepdims=True)
    rest = "batch_norm_param { use_global_stats: false }"
    check((X - m) / np.sqrt(v + 1e-5), "BatchNorm", rest, X)


def test_bn_of_pspnet_and_segnet() -> None:
    blobs = [values(3), values(3), values(3), values(3, low=0.5)]
    s, b, m, v = (a.reshape(3, 1, 1) for a in blobs)
    rest = "bn_param { slope_filler { value: 1 } frozen: true eps: 1e-3 }"
    check((X - m) / np.sqrt(v + 1e-3) * s + b, "BN", rest, X, blobs=blobs)
    rest = "bn_param { bn_mode: INFERENCE scale_filler { value: 1 } }"
    check(X * s + b, "BN", rest, X, blobs=blobs[:2])
    with pytest.raises(UnsupportedError, match="'LEARN' is not one of INFERENCE"):
        run_layer("BN", "bn_param { bn_mode: LEARN }", [X])


def test_mvn() -> None:
    def spread(axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        return X - X.mean(axes, keepdims=True), X.std(axes, keepdims=True)

    centred, deviation = spread((2, 3))
    check(centred / (deviation + 0.5), "MVN", "mvn_param { eps: 0.5 }", X)
    check(centred, "MVN", "mvn_param { normalize_variance: false }", X)
    centred, deviation = spread((1, 2, 3))
    check(centred / (deviation + 1e-9), "MVN", "mvn_param { across_channels: true }", X)


def test_normalize() -> None:
    s, one = values(3), np.float32(1.5).reshape(())
    norm = np.sqrt((X * X).sum(1, keepdims=True) + 1e-10)
    want = X / norm * s.reshape(3, 1, 1)
    rest = "norm_param { across_spatial: false channel_shared: false }"
    check(want, "Normalize", rest, X, blobs=[s])
    norm = np.sqrt((X * X).sum((1, 2, 3), keepdims=True) + 0.5)
    check(X / norm * 1.5, "Normalize", "norm_param { eps: 0.5 }", X, blobs=[one])


def test_lrn() -> None:
    x = values(1, 7, 4, 5)
    sums = np.stack([(x[:, max(0, c - 2) : c + 3] ** 2).sum(1) for c in range(7)], 1)
    rest = "lrn_param { local_size: 5 alpha: 0.5 beta: 0.6 k: 2 }"
    check(x / (2 + 0.5 / 5 * sums) ** 0.6, "LRN", rest, x)
    mean = pooled(np.pad(x * x, [(0, 0), (0, 0), (1, 1), (1, 1)]), "AVE", 3, 1, 0, True)
    rest = "lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 norm_region: WITHIN_CHANNEL }"
    check(x * (1 + 0.5 * mean) ** -0.6, "LRN", rest, x)


def test_softmax() -> None:
    powers = np.exp(X)
    check(powers / powers.sum(1, keepdims=True), "Softmax", "", X)
    want = powers / powers.sum(-1, keepdims=True)
    check(want, "Softmax", "softmax_param { axis: -1 }", X)
    check(np.log(want), "LogSoftmax", "softmax_param { axis: 3 }", X)


# Several bottoms


def test_eltwise() -> None:
    a, b, c = values(2, 3, 4), values(2, 3, 4), values(2, 3, 4)
    check(a + b + c, "Eltwise", "", a, b, c)
    check(a * b * c, "Eltwise", "eltwise_param { operation: PROD }", a, b, c)
    check(np.maximum(a, b), "Eltwise", "eltwise_param { operation: MAX }", a, b)
    check(a - 2 * b, "Eltwise", "eltwise_param { coeff: 1 coeff: -2 }", a, b)
    check(a * b[:, :, :1], "Eltwise", "eltwise_param { operation: 0 }", a, b[:, :, :1])
    with pytest.raises(ModelError, match="do not fit together"):
        run_layer("Eltwise", "", [a, b[:, :2]])


def test_scale_and_bias() -> None:
    s, b = values(3), values(3)
    column = (3, 1, 1)
    check(X * s.reshape(column), "Scale", "", X, blobs=[s])
    rest = "scale_param { bias_term: true filler { value: 2 } }"
    check(X * s.reshape(column) + b.reshape(column), "Scale", rest, X, blobs=[s, b])
    check(X + b.reshape(column), "Bias", "", X, blobs=[b])
    part = values(4, 5)
    check(X * part, "Scale", "scale_param { axis: 2 num_axes: 2 }", X, blobs=[part])
    check(X * part, "Scale", "scale_param { axis: -2 num_axes: -1 }", X, blobs=[part])
    one = np.float32(3).reshape(())
    check(X * 3, "Scale", "scale_param { num_axes: 0 }", X, blobs=[one])


def test_scale_and_bias_by_a_second_bottom() -> None:
    s, b = values(2, 3), values(2, 3)
    wide = s[:, :, None, None]
    check(X * wide, "Scale", "scale_param { axis: 0 }", X, s)
    check(X * wide, "Scale", "scale_param { axis: 0 }", X, wide)
    check(X * wide + b[:, :, None, None], "Scale", "scale_param { axis: 0 bias_term: true }", X, s,
          blobs=[b])  # fmt: skip
    check(X + s[0].reshape(3, 1, 1), "Bias", "", X, s[0])
    with pytest.raises(ModelError, match="does not fit"):
        run_layer("Scale", "", [X, s])


def test_axpy() -> None:
    a, y = values(2, 3, 1, 1), values(2, 3, 4, 5)
    check(a * X + y, "Axpy", "", a, X, y)


def test_concat_slice_and_split() -> None:
    a, b = values(2, 3, 4), values(2, 1, 4)
    check(np.concatenate([a, b], 1), "Concat", "", a, b)
    check(np.concatenate([a, a], 2), "Concat", "concat_param { axis: -1 }", a, a)
    check(np.concatenate([a, a], 0), "Concat", "concat_param { concat_dim: 0 }", a, a)
    check(a, "Concat", "", a)
    x = values(2, 6, 3)
    check(np.split(x, 3, 1), "Slice", "", x)
    check(np.split(x, [1, 4], 1), "Slice", "slice_param { slice_point: [1, 4] }", x)
    check(np.split(x, [2], 2), "Slice", "slice_param { axis: -1 slice_point: 2 }", x)
    check(np.split(x, 2, 0), "Slice", "slice_param { slice_dim: 0 }", x)
    check([x, x, x], "Split", "", x)


def test_crop_and_tile() -> None:
    like = values(1, 1, 2, 3)
    check(X[:, :, 1:3, 2:5], "Crop", "crop_param { offset: 1 offset: 2 }", X, like)
    check(X[:, :, 1:3, 1:4], "Crop", "crop_param { offset: 1 }", X, like)
    check(X[:, 1:2, :2, :3], "Crop", "crop_param { axis: 1 offset: [1, 0, 0] }", X, like)
    check(X[..., :3], "Crop", "crop_param { axis: 3 }", X, like)
    check(np.tile(X, (1, 3, 1, 1)), "Tile", "tile_param { tiles: 3 }", X)
    check(np.tile(X, (1, 1, 1, 2)), "Tile", "tile_param { axis: -1 tiles: 2 }", X)


@pytest.mark.parametrize(
    ("kind", "rest", "want"),
    [
        ("Flatten", "", X.reshape(2, 60)),
        ("Flatten", "flatten_param { axis: 0 end_axis: 2 }", X.reshape(24, 5)),
        ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 10 } }", X.reshape(2, 6, 10)),
        ("Reshape", "reshape_param { shape { dim: 4 dim: -1 } axis: 1 num_axes: 2 }",
         X.reshape(2, 4, 3, 5)),
        ("Reshape", "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }", X[..., None]),
        ("Reshape", "reshape_param { shape { dim: [1] } axis: 0 num_axes: 0 }", X[None]),
        ("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }",
         X.transpose(0, 2, 3, 1)),
        ("Permute", "permute_param { order: 3 }", X.transpose(3, 0, 1, 2)),
        ("ShuffleChannel", "shuffle_channel_param { group: 3 }", X),
    ],
)  # fmt: skip
def test_shapes(kind: str, rest: str, want: np.ndarray) -> None:
    check(want, kind, rest, X)


def test_shuffle_channel_deals_out() -> None:
    x = np.arange(6.0).reshape(1, 6, 1, 1)
    check(np.array([0, 3, 1, 4, 2, 5.0]).reshape(1, 6, 1, 1), "ShuffleChannel",
          "shuffle_channel_param { group: 2 }", x)  # fmt: skip


def test_parameter() -> None:
    w = values(3, 4)
    text = inputs_text({"x": (2, 3, 4)}) + layer_text(
        "Parameter", [], ["w"], "parameter_param { shape { dim: 3 dim: 4 } }"
    )
    text += 'layer { name: "s" type: "Scale" bottom: "x" bottom: "w" top: "y" }'
    graph = build(text, {"l": [w]})
    (node,) = graph.nodes
    assert node.inputs[1] is not None and node.inputs[1].is_constant


# Reductions


@pytest.mark.parametrize(
    ("rest", "want"),
    [
        ("", X.sum()),
        ("axis: 1", X.sum((1, 2, 3))),
        ("operation: ASUM axis: -2", np.abs(X).sum((2, 3))),
        ("operation: SUMSQ axis: 3", (X * X).sum(3)),
        ("operation: MEAN axis: 2 coeff: 3", 3 * X.mean((2, 3))),
        ("operation: 4 axis: 2", X.mean((2, 3))),
    ],
)
def test_reduction(rest: str, want: np.ndarray) -> None:
    check(np.asarray(want), "Reduction", f"reduction_param {{ {rest} }}", X)


def test_arg_max() -> None:
    order = np.argsort(-X, 1)
    check(order[:, :1].astype(np.float32), "ArgMax", "argmax_param { axis: 1 }", X)
    check(-np.sort(-X, 1)[:, :2], "ArgMax", "argmax_param { axis: 1 top_k: 2 out_max_val: true }",
          X)  # fmt: skip
    flat = X.reshape(2, -1)
    best = np.argsort(-flat, 1)[:, :4]
    want = best[:, None, :, None].astype(np.float32)
    check(want, "ArgMax", "argmax_param { top_k: 4 }", X)
    both = np.stack([best, np.take_along_axis(flat, best, 1)], 1)
    check(both, "ArgMax", "argmax_param { top_k: 4 out_max_val: true }", flat)


def test_arg_max_of_equals_is_the_last() -> None:
    x = np.array([[1, 5, 5, 2, 5]])
    check(np.array([[[4, 2, 1.0]]]), "ArgMax", "argmax_param { top_k: 3 }", x)


# Resampling


def interpolated(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """The corners of both are the same points."""
    for axis, size in ((2, height), (3, width)):
        at = np.arange(size) * ((x.shape[axis] - 1) / (size - 1) if size > 1 else 0)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        part = (at - low).reshape(-1, *(1,) * (3 - axis))
        x = x.take(low, axis) * (1 - part) + x.take(high, axis) * part
    return x


@pytest.mark.parametrize(
    ("rest", "crop", "size"),
    [
        ("height: 7 width: 3", 0, (7, 3)),
        ("zoom_factor: 3", 0, (10, 13)),
        ("shrink_factor: 2", 0, (2, 3)),
        ("shrink_factor: 3 zoom_factor: 2", 0, (3, 3)),
        ("zoom_factor: 2 pad_beg: -1 pad_end: -1", 1, (3, 5)),
        ("height: 1 width: 1", 0, (1, 1)),
    ],
)
def test_interp(rest: str, crop: int, size: tuple[int, int]) -> None:
    inner = X[:, :, crop : 4 - crop, crop : 5 - crop]
    check(interpolated(inner, *size), "Interp", f"interp_param {{ {rest} }}", X)


def test_interp_to_the_size_of_another() -> None:
    check(interpolated(X, 8, 9), "Interp", "", X, values(1, 1, 8, 9))


def test_upsample() -> None:
    def repeated(rows: int, columns: int) -> np.ndarray:
        return X.repeat(rows, 2).repeat(columns, 3)

    check(repeated(2, 2), "Upsample", "upsample_param { scale: 2 }", X)
    check(repeated(3, 2), "Upsample", "upsample_param { scale_h: 3 scale_w: 2 }", X)
    check(repeated(2, 2), "Upsample", "upsample_param { height: 8 width: 10 }", X)
    check(0.5 * repeated(2, 2), "Upsample", "upsample_param { stride: 2 scale: 0.5 }", X)


@pytest.mark.parametrize(
    ("rest", "size"),
    [
        ("scale: 2", (6, 6)),
        ("scale: 2 pad_out_h: true", (5, 6)),
        ("upsample_w: 7 upsample_h: 5", (5, 7)),
        ("scale_h: 2 scale_w: 3", (6, 9)),
    ],
)
def test_unpooling_puts_maxima_back(rest: str, size: tuple[int, int]) -> None:
    x = values(2, 2, 5, 6)
    text = inputs_text({"x": x.shape}) + layer_text(
        "Pooling", ["x"], ["p", "mask"], "pooling_param { kernel_size: 2 stride: 2 }"
    )
    text += layer_text("Upsample", ["p", "mask"], ["y"], f"upsample_param {{ {rest} }}")
    (got,) = evaluate(build(text), {"x": x}).values()
    want = np.zeros((2, 2, size[0] * size[1]), np.float32)
    for n, c, r, s in product(range(2), range(2), range(3), range(3)):
        part = x[n, c, 2 * r : 2 * r + 2, 2 * s : 2 * s + 2]
        at = np.unravel_index(part.argmax(), part.shape)
        position = (2 * r + at[0]) * 6 + 2 * s + at[1]
        if position < want.shape[2]:
            want[n, c, position] = part.max()
    np.testing.assert_array_equal(got, want.reshape(2, 2, *size))


# Detection


def test_prior_box() -> None:
    rest = """prior_box_param { min_size: 30.9 max_size: 60 aspect_ratio: 2 aspect_ratio: 1
              variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 }"""
    (got,) = run_layer("PriorBox", rest, [values(1, 2, 2, 3), values(1, 3, 100, 120)])
    want = []
    for r, c in product(range(2), range(3)):
        x, y = (c + 0.5) * 120 / 3, (r + 0.5) * 100 / 2
        root = math.sqrt(2)
        for w, h in ((30, 30), (math.sqrt(1800),) * 2, (30 * root, 30 / root),
                     (30 / root, 30 * root)):  # fmt: skip
            want += [(x - w / 2) / 120, (y - h / 2) / 100, (x + w / 2) / 120, (y + h / 2) / 100]
    assert got.shape == (1, 2, 6 * 4 * 4)
    np.testing.assert_allclose(got[0, 0], want, atol=1e-6)
    np.testing.assert_allclose(got[0, 1], np.tile([0.1, 0.1, 0.2, 0.2], 24))


def test_prior_box_with_its_own_steps() -> None:
    rest = """prior_box_param { min_size: 40 min_size: 20 flip: false aspect_ratio: 0.5 clip: true
              step: 16 offset: 0.25 img_size: 64 }"""
    (got,) = run_layer("PriorBox", rest, [values(1, 2, 4, 4), values(1, 3, 9, 9)])
    assert got.shape == (1, 2, 16 * 4 * 4)
    first = np.array([4 - 20, 4 - 20, 4 + 20, 4 + 20]) / 64
    np.testing.assert_allclose(got[0, 0, :4], first.clip(0, 1), atol=1e-6)
    root = math.sqrt(0.5)
    w, h = 20 * root, 20 / root
    last = np.array([52 - w / 2, 52 - h / 2, 52 + w / 2, 52 + h / 2]) / 64
    np.testing.assert_allclose(got[0, 0, -4:], last.clip(0, 1), atol=1e-6)
    np.testing.assert_allclose(got[0, 1], 0.1)


PRIORS = np.array([[0.1, 0.1, 0.3, 0.5], [0.12, 0.1, 0.32, 0.5], [0.6, 0.6, 0.8, 0.9]])


def detected(location: np.ndarray, scores: np.ndarray, rest: str) -> np.ndarray:
    """Rows that DetectionOutput gives for the three priors above and variances of 0.1 and 0.2."""
    variances = np.tile([0.1, 0.1, 0.2, 0.2], 3)
    priors = np.stack([PRIORS.reshape(-1), variances])[None]
    text = inputs_text({"x0": location.shape, "x1": scores.shape, "x2": priors.shape})
    text += layer_text("DetectionOutput", ["x0", "x1", "x2"], ["y"],
                       f"detection_output_param {{ {rest} }}")  # fmt: skip
    arrays = (location, scores, priors)
    feeds = {f"x{i}": a.astype(np.float32) for i, a in enumerate(arrays)}
    (got,) = evaluate(build(text), feeds).values()
    return got[0, 0]


def test_detection_output() -> None:
    location = np.zeros((2, 3, 4))
    location[0, 2] = [1.0, -1.0, 0.5, 0.0]
    scores = np.array([
        [[0.1, 0.9, 0.0], [0.2, 0.8, 0.3], [0.2, 0.1, 0.7]],
        [[0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [0.3, 0.6, 0.1]],
    ])  # fmt: skip
    rest = """num_classes: 3 code_type: CENTER_SIZE confidence_threshold: 0.25 keep_top_k: 10
              nms_param { nms_threshold: 0.5 top_k: 100 }"""
    got = detected(location.reshape(2, -1), scores.reshape(2, -1), rest)
    w, h = 0.2 * math.exp(0.1), 0.3
    x, y = 0.7 + 0.1 * 0.2, 0.75 - 0.1 * 0.3
    want = [
        [0, 1, 0.9, *PRIORS[0]],  # the second overlaps it by 0.82
        [0, 2, 0.7, x - w / 2, y - h / 2, x + w / 2, y + h / 2],
        [0, 2, 0.3, *PRIORS[1]],
        [1, 1, 0.6, *PRIORS[2]],
    ]
    np.testing.assert_allclose(got, want, atol=1e-6)
    got = detected(location.reshape(2, -1), scores.reshape(2, -1),
                   rest.replace("keep_top_k: 10", "keep_top_k: 2"))  # fmt: skip
    np.testing.assert_allclose(got, [want[0], want[1], want[3]], atol=1e-6)


@pytest.mark.parametrize("code", ["CORNER", "CORNER_SIZE"])
@pytest.mark.parametrize("encoded", [False, True])
def test_detection_output_by_corners_of_each_class(code: str, encoded: bool) -> None:
    location = values(1, 3, 2, 4)
    scores = np.array([0.0, 0.9, 0.0, 0.8, 0.0, 0.7])
    rest = f"""num_classes: 2 share_location: false background_label_id: 0 code_type: {code}
               variance_encoded_in_target: {str(encoded).lower()}
               nms_param {{ nms_threshold: 1 }}"""
    got = detected(location.reshape(1, -1), scores[None], rest)
    variances = 1 if encoded else np.array([0.1, 0.1, 0.2, 0.2])
    size = PRIORS[:, 2:] - PRIORS[:, :2]
    factor = np.concatenate([size, size], 1) if code == "CORNER_SIZE" else 1
    want = PRIORS + location[0, :, 1] * variances * factor
    np.testing.assert_allclose(got[:, 3:], want, atol=1e-5)
    np.testing.assert_allclose(got[:, :3], [[0, 1, 0.9], [0, 1, 0.8], [0, 1, 0.7]], atol=1e-6)


def test_detection_output_without_detections_has_no_rows() -> None:
    rest = "num_classes: 2 confidence_threshold: 0.5"
    assert detected(np.zeros((1, 12)), np.zeros((1, 6)), rest).shape == (0, 7)


def test_detection_output_lowers_its_threshold() -> None:
    """The second and third box overlap the first by 0.67 and 0.54."""
    boxes = np.array([[0, 0, 1, 1], [0, 0.2, 1, 1.2], [0.3, 0, 1.3, 1]])
    location = (boxes - PRIORS) / [0.1, 0.1, 0.2, 0.2]
    scores = np.array([[0, 0.9, 0, 0.8, 0, 0.7]])
    for eta, stay in ((1.0, [0.9, 0.8, 0.7]), (0.8, [0.9, 0.7]), (0.7, [0.9])):
        rest = f"num_classes: 2 nms_param {{ nms_threshold: 0.7 eta: {eta} }}"
        got = detected(location.reshape(1, -1), scores, rest)
        np.testing.assert_allclose(got[:, 2], stay, rtol=1e-6)


def test_roi_pooling() -> None:
    x = values(2, 2, 6, 7)
    regions = np.array([[1, 0, 0, 12, 10], [0, 4, 2, 6, 6], [0, 40, 40, 50, 50]])
    (got,) = run_layer(
        "ROIPooling",
        "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }", [x, regions],
    )  # fmt: skip
    want = np.zeros((3, 2, 2, 3))
    for r, c in product(range(2), range(3)):
        rows = slice(math.floor(r * 3), math.ceil((r + 1) * 3))
        columns = slice(math.floor(c * 7 / 3), math.ceil((c + 1) * 7 / 3))
        want[0, :, r, c] = x[1, :, rows, columns].max((1, 2))
        rows = slice(1 + math.floor(r * 1.5), 1 + math.ceil((r + 1) * 1.5))
        columns = slice(2 + math.floor(c * 2 / 3), 2 + math.ceil((c + 1) * 2 / 3))
        want[1, :, r, c] = x[0, :, rows, columns].max((1, 2))
    np.testing.assert_allclose(got, want)
