"""Folds what scales and shifts each channel of a convolution into its weights and bias.

Batch normalisation with fixed statistics is y = x·s + t with s = scale/√(var+ε), t = bias - mean·s;
additions and multiplications by a constant per channel are the same with one part missing. Since a
convolution is linear, s goes into the weights and t into the bias.
"""

from __future__ import annotations

import numpy as np

from clnet.graph import Graph, Node, Value
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.elementwise import Elementwise
from clnet.ops.epilogue import extra_role

Affine = tuple[np.ndarray, np.ndarray]  # scale and shift per channel, float64


def fold_affine(graph: Graph) -> None:
    """Fold into every Conv and ConvTranspose with constant weights what alone reads it."""
    consumers = graph.consumers()
    for node in list(graph.nodes):
        if not _can_absorb(node):
            continue
        while True:
            readers = consumers.get(node.output, [])
            if len(readers) != 1 or node.output in graph.outputs.values():
                break
            affine = _affine_of(readers[0], node.output)
            if affine is None:
                break
            _absorb(node, *affine)
            graph.remove(readers)
            node.outputs = readers[0].outputs


def _can_absorb(node: Node) -> bool:
    if not isinstance(node.op, Conv | ConvTranspose) or node.op.epilogue.steps:
        return False
    return all(v is None or v.is_constant for v in node.inputs[1:])


def _affine_of(node: Node, value: Value) -> Affine | None:
    """What ``node`` does to ``value`` as scale and shift per channel, if that is all it does."""
    channels = value.spec.shape[1]
    if node.output.spec != value.spec:
        return None
    if isinstance(node.op, BatchNormalization):
        parameters = [_constant(v) for v in node.inputs[1:]]
        if any(p is None for p in parameters):
            return None
        scale, bias, mean, variance = (p for p in parameters if p is not None)
        factor = scale / np.sqrt(variance + node.op.epsilon)
        return factor, bias - mean * factor
    if isinstance(node.op, Elementwise) and len(node.op.expression.steps) == 1:
        return _affine_arithmetic(node, value, channels)
    return None


def _affine_arithmetic(node: Node, value: Value, channels: int) -> Affine | None:
    step = node.op.expression.steps[0]
    if step.function not in ("Add", "Sub", "Mul", "Div") or node.inputs.count(value) != 1:
        return None
    position = node.inputs.index(value)
    other = node.inputs[1 - position]
    constant = _constant(other)
    if other is None or constant is None:
        return None
    if extra_role(other.spec, value.spec) not in ("channel", "single"):
        return None
    if value.spec.size == other.spec.size and other.spec.size > channels:
        return None
    operand = np.broadcast_to(constant.reshape(-1), (channels,))
    one, zero = np.ones(channels), np.zeros(channels)
    if step.function == "Add":
        return one, operand
    if step.function == "Mul":
        return operand, zero
    if step.function == "Sub":
        return (one, -operand) if position == 0 else (-one, operand)
    return (1 / operand, zero) if position == 0 and operand.all() else None


def _constant(value: Value | None) -> np.ndarray | None:
    if value is None or not value.is_constant or not value.spec.is_float:
        return None
    assert value.data is not None
    return value.data.astype(np.float64)


def _absorb(node: Node, scale: np.ndarray, shift: np.ndarray) -> None:
    """Rewrite a node's weights and bias in double precision, without so large a copy of them."""
    weights = node.inputs[1]
    assert weights is not None and weights.data is not None
    data = weights.data
    factors = scale.reshape(-1, *(1,) * (data.ndim - 1))  # [M, C/groups, *kernel]
    if isinstance(node.op, ConvTranspose):  # [C, M/groups, *kernel]
        data = data.reshape(node.op.groups, -1, *data.shape[1:])
        factors = scale.reshape(node.op.groups, 1, -1, *(1,) * (data.ndim - 3))
    out = np.empty(data.shape, data.dtype)
    np.multiply(data, factors, out=out, dtype=np.float64, casting="same_kind")
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    old = bias.data if bias is not None and bias.data is not None else np.zeros(len(scale))
    new = old.astype(np.float64) * scale + shift
    folded = Value(f"{weights.name}:folded", weights.spec, out.reshape(weights.spec.shape))
    spec = node.output.spec.with_shape((len(scale),))
    node.inputs[1:3] = [folded, Value(f"{folded.name}:bias", spec, new.astype(data.dtype))]
