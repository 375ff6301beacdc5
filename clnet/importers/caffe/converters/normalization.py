"""Normalisation, by statistics from training or of the input itself, and softmax."""

from __future__ import annotations

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.registry import converter
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.lrn import LRN
from clnet.ops.pooling import AveragePool
from clnet.ops.reduce import Reduce
from clnet.ops.softmax import LogSoftmax, Softmax


@converter("BatchNorm")
def batch_norm(layer: CaffeLayer) -> Value:
    """(x - mean) / √(variance + eps). The blobs hold sums of both, and the factor that they are to
    be divided by; with ``scale_bias`` (NVIDIA's) also what Scale has elsewhere."""
    x = layer.only(2)
    param = layer.param("batch_norm_param")
    param.ignore("moving_average_fraction", "update_global_stats", "engine")
    param.ignore("scale_filler", "bias_filler")
    epsilon = param.real("eps", 1e-5)
    channels = (x.spec.shape[1],)
    if not param.flag("use_global_stats", True):
        axes = tuple(a for a in range(x.spec.rank) if a != 1)
        centred, deviation = _spread(layer, x, axes, epsilon)
        y = layer.apply("Div", centred, deviation)
        if param.flag("scale_bias"):
            raise UnsupportedError("batch_norm_param.scale_bias without global statistics")
        return y
    total = float(layer.array(2, (1,))[0])
    factor = np.float32(1 / total if total else 0)
    mean, variance = (layer.array(i, channels) * factor for i in range(2))
    if param.flag("scale_bias"):
        scale, bias = layer.array(3, channels), layer.array(4, channels)
    else:
        scale, bias = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    parameters = map(layer.constant, (scale, bias, mean, variance))
    result: Value = layer.add(BatchNormalization(epsilon), x, *parameters)
    return result


@converter("BN")
def batch_norm_with_scale(layer: CaffeLayer) -> Value:
    """PSPNet's: slope, bias, mean and variance. SegNet's ``INFERENCE`` has factor and shift only,
    into which a script has put the statistics."""
    x = layer.only(2)
    param = layer.param("bn_param")
    param.ignore("slope_filler", "bias_filler", "momentum", "frozen", "engine")
    channels = (x.spec.shape[1],)
    if param.has("bn_mode"):
        param.choice("bn_mode", "INFERENCE", ("INFERENCE",), first=1)
        param.ignore("scale_filler", "shift_filler")
        shape = (*channels, *(1,) * (x.spec.rank - 2))
        factor, shift = (layer.constant(layer.array(i, channels).reshape(shape)) for i in range(2))
        return layer.apply("Add", layer.apply("Mul", x, factor), shift)
    op = BatchNormalization(param.real("eps", 1e-5))
    result: Value = layer.add(op, x, *(layer.blob(i, channels) for i in range(4)))
    return result


@converter("MVN")
def mean_variance_normalization(layer: CaffeLayer) -> Value:
    """(x - mean) / (√variance + eps) of each channel, or of each sample."""
    x = layer.only(2)
    param = layer.param("mvn_param")
    axes = tuple(range(1 if param.flag("across_channels") else 2, x.spec.rank))
    normalize, epsilon = param.flag("normalize_variance", True), param.real("eps", 1e-9)
    centred, deviation = _spread(layer, x, axes, 0.0)
    if not normalize:
        return centred
    return layer.apply("Div", centred, layer.apply("Add", deviation, layer.constant(epsilon)))


def _spread(
    layer: CaffeLayer, x: Value, axes: tuple[int, ...], epsilon: float
) -> tuple[Value, Value]:
    """x - mean, and √(variance + epsilon), over ``axes``."""
    centred = layer.apply("Sub", x, layer.add(Reduce("Mean", axes), x))
    variance: Value = layer.add(Reduce("Mean", axes), layer.apply("Mul", centred, centred))
    if epsilon:
        variance = layer.apply("Add", variance, layer.constant(epsilon))
    return centred, layer.apply("Sqrt", variance)


@converter("Normalize")
def normalize(layer: CaffeLayer) -> Value:
    """x / √(sum of x² + eps) over the channels, or over the whole sample, times weights (SSD)."""
    x = layer.only(2)
    param = layer.param("norm_param")
    param.ignore("scale_filler")
    axes = tuple(range(1, x.spec.rank)) if param.flag("across_spatial", True) else (1,)
    squares: Value = layer.add(Reduce("SumSquare", axes), x)
    epsilon = layer.constant(param.real("eps", 1e-10))
    y = layer.apply("Div", x, layer.apply("Sqrt", layer.apply("Add", squares, epsilon)))
    shape = () if param.flag("channel_shared", True) else (x.spec.shape[1],)
    factors = layer.array(0, shape)
    if shape:
        factors = factors.reshape(*shape, *(1,) * (x.spec.rank - 2))
    return layer.apply("Mul", y, layer.constant(factors))


@converter("LRN")
def local_response_normalization(layer: CaffeLayer) -> Value:
    """Across channels as everywhere; within each, by the mean square around, zeros beyond."""
    x = layer.only(4)
    param = layer.param("lrn_param")
    param.ignore("engine")
    size = param.integer("local_size", 5, 1)
    alpha, beta, k = (param.real(f, d) for f, d in (("alpha", 1.0), ("beta", 0.75), ("k", 1.0)))
    if size % 2 == 0:
        raise ModelError(f"lrn_param.local_size is {size}, which is even")
    region = param.choice("norm_region", "ACROSS_CHANNELS", ("ACROSS_CHANNELS", "WITHIN_CHANNEL"))
    if region == "ACROSS_CHANNELS":
        result: Value = layer.add(LRN(size, alpha, beta, k), x)
        return result
    around = AveragePool((size,) * 2, (1, 1), (size // 2,) * 4, (1, 1), count_include_pad=True)
    mean: Value = layer.add(around, layer.apply("Mul", x, x))
    sums = layer.apply("Add", layer.apply("Scale", mean, factor=alpha), layer.constant(1.0))
    return layer.apply("Mul", x, layer.apply("Pow", sums, layer.constant(-beta)))


@converter("Softmax", "LogSoftmax")
def softmax(layer: CaffeLayer) -> Value:
    x = layer.only(1)
    param = layer.param("softmax_param")
    param.ignore("engine")
    op = Softmax if layer.type == "Softmax" else LogSoftmax
    result: Value = layer.add(op(layer.axis(param)), x)
    return result
