"""Matrix products."""

from __future__ import annotations

import math
from typing import Any

from clnet.errors import ModelError
from clnet.importers.tflite.dynamic import rounded
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import converter
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.reshape import Reshape


@converter("FULLY_CONNECTED", linear=(0,))
def fully_connected(node: TfliteNode) -> Any:
    """Weights are [outputs, inputs]; x is a list of vectors in whatever shape."""
    x, w = node.input(0), node.weights(1)
    node.choice("WeightsFormat", ("DEFAULT",), 0)
    if w.spec.rank != 2 or not w.spec.shape[1] or x.spec.size % w.spec.shape[1]:
        raise ModelError(f"weights {w.spec} do not fit the input {x.spec}")
    units, inputs = w.spec.shape
    rows = x.spec.size // inputs
    if x.spec.shape != (rows, inputs):
        x = node.add(Reshape((rows, inputs)), x)
    x = rounded(node, x, 1, True)
    bias = node.bias(2)
    if bias is not None and bias.spec.size != units:
        raise ModelError(f"a bias {bias.spec} for {units} outputs")
    y = node.add(Gemm(trans_b=True), x, w, bias)
    if not node.option("KeepNumDims", False):
        return y
    leading = node.input(0).spec.shape[:-1]
    if math.prod(leading) != rows:
        raise ModelError(f"weights {w.spec} do not fit the last dimension of {node.input(0).spec}")
    return node.add(Reshape((*leading, units)), y)


@converter("BATCH_MATMUL", linear=(0,))
def matrix_product(node: TfliteNode) -> Any:
    operands = []
    for i, adjoint in enumerate(("AdjX", "AdjY")):
        value = node.input(i)
        if value.spec.rank < 2:
            raise ModelError(f"input {i} {value.spec} is no matrix")
        if node.option(adjoint, False):
            rank = value.spec.rank
            value = node.transposed(value, (*range(rank - 2), rank - 1, rank - 2))
        operands.append(value)
    return node.add(MatMul(), *operands)
