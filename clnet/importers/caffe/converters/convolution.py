"""Convolutions, their transposes, and layers that are fully connected."""

from __future__ import annotations

import math
from typing import Any

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.caffe.converters.windows import extents
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.registry import converter
from clnet.ops.cast import Cast
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.gather import Gather
from clnet.ops.gemm import Gemm

_DEPTHWISE = ("DepthwiseConvolution", "ConvolutionDepthwise")


@converter("Convolution", *_DEPTHWISE)
def convolution(layer: CaffeLayer) -> Any:
    """Every bottom with the same weights. The depthwise layers of forks have as many groups as
    channels, whether they say so or not."""
    return _of_each_bottom(layer, Conv)


@converter("Deconvolution")
def deconvolution(layer: CaffeLayer) -> Any:
    return _of_each_bottom(layer, ConvTranspose)


def _of_each_bottom(layer: CaffeLayer, op: type[Conv | ConvTranspose]) -> tuple[Value, ...]:
    x = layer.of_rank(3)
    param = layer.param("convolution_param")
    param.ignore("weight_filler", "bias_filler", "engine", "force_nd_im2col")
    param.ignore("cudnn_convolution_algo_seeker", "conv_algos_override", "cudnn_math_override")
    if layer.axis(param) != 1:
        raise UnsupportedError("convolution_param.axis other than 1")
    rank, channels = x.spec.rank - 2, x.spec.shape[1]
    outputs, groups = param.integer("num_output", None, 1), param.integer("group", 1, 1)
    if layer.type in _DEPTHWISE:
        groups = channels
    if not channels or channels % groups or outputs % groups:
        raise ModelError(f"{channels} channels and {outputs} outputs in {groups} groups")
    kernel = extents(param, "kernel", rank, None, 1)
    pads = extents(param, "pad", rank, 0) * 2
    window = extents(param, "stride", rank, 1, 1), pads, _dilations(param, rank)
    shape = (outputs, channels // groups) if op is Conv else (channels, outputs // groups)
    weights = layer.blob(0, (*shape, *kernel))
    bias = layer.blob(1, (outputs,)) if param.flag("bias_term", True) else None
    return layer.each(lambda v: layer.add(op(*window, groups), v, weights, bias))


def _dilations(param: Message, rank: int) -> tuple[int, ...]:
    """DeepLab's ``hole`` was there before ``dilation``."""
    stem = "hole" if any(param.has(f) for f in ("hole", "hole_h", "hole_w")) else "dilation"
    return extents(param, stem, rank, 1, 1)


@converter("InnerProduct")
def inner_product(layer: CaffeLayer) -> Value:
    """The dimensions from ``axis`` on are one vector."""
    x = layer.only(1)
    param = layer.param("inner_product_param")
    param.ignore("weight_filler", "bias_filler", "engine")
    outputs, axis = param.integer("num_output", None, 1), layer.axis(param)
    outer, depth = x.spec.shape[:axis], math.prod(x.spec.shape[axis:])
    transposed = param.flag("transpose")
    weights = layer.blob(0, (depth, outputs) if transposed else (outputs, depth))
    bias = layer.blob(1, (outputs,)) if param.flag("bias_term", True) else None
    rows = layer.reshaped(x, (math.prod(outer), depth))
    return layer.reshaped(
        layer.add(Gemm(trans_b=not transposed), rows, weights, bias), (*outer, outputs)
    )


@converter("Embed")
def embed(layer: CaffeLayer) -> Value:
    """Rows of the weights, chosen by whole numbers that come as floats."""
    x = layer.only()
    param = layer.param("embed_param")
    param.ignore("weight_filler", "bias_filler")
    outputs, rows = param.integer("num_output", None, 1), param.integer("input_dim", None, 1)
    y: Value = layer.add(Gather(0), layer.blob(0, (rows, outputs)), layer.add(Cast("int32"), x))
    if param.flag("bias_term", True):
        y = layer.apply("Add", y, layer.blob(1, (outputs,)))
    return y
