"""Softmax and normalisations."""

from __future__ import annotations

from typing import Any

from clnet.errors import ModelError
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import converter
from clnet.ops.lrn import LRN
from clnet.ops.reduce import Reduce
from clnet.ops.softmax import LogSoftmax, Softmax


@converter("SOFTMAX")
def softmax(node: TfliteNode) -> Any:
    """Along the last axis, of beta times the input."""
    x, beta = node.input(), node.option("Beta")
    if beta != 1:
        x = node.apply("Mul", x, node.constant(beta, x.spec.dtype))
    return node.add(Softmax(-1), x)


@converter("LOG_SOFTMAX")
def log_softmax(node: TfliteNode) -> Any:
    return node.add(LogSoftmax(-1), node.input())


@converter("L2_NORMALIZATION")
def l2_normalization(node: TfliteNode) -> Any:
    """x over its norm along the last axis, which counts as 1e-6 at least."""
    x = node.input()
    if not x.spec.rank:
        raise ModelError("a single number has no axis to normalise along")
    norm = node.add(Reduce("L2", (x.spec.rank - 1,)), x)
    return node.apply("Div", x, node.apply("Max", norm, node.constant(1e-6, x.spec.dtype)))


@converter("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(node: TfliteNode) -> Any:
    """alpha stands before a sum here, not before a mean as in clnet's and ONNX's op."""
    size = 2 * node.option("Radius") + 1
    numbers = node.option("Alpha") * size, node.option("Beta"), node.option("Bias")
    return node.nhwc(node.add(LRN(size, *numbers), node.nchw(node.image())))
