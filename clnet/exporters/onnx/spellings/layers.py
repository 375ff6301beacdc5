"""Normalisations and recurrent layers."""

from __future__ import annotations

import numpy as np

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter
from clnet.ops.expression import Expression
from clnet.ops.layer_normalization import LayerNormalization
from clnet.ops.recurrent import Recurrent

_DIRECTIONS = {(False,): "forward", (True,): "reverse", (False, True): "bidirectional"}
#: Functions that recurrent layers of ONNX may have.
_ACTIVATIONS = (
    "Affine", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "Sigmoid", "Softplus", "Softsign", "Tanh",
    "ThresholdedRelu",
)  # fmt: skip


@spelling(LayerNormalization)
def layer_normalization(write: NodeWriter) -> str:
    """By the size alone, ONNX has it only since opset 23: spelled out here."""
    op, (x, scale, bias) = write.op, (*write.inputs, "")[:3]
    if op.centred:
        return write.add("LayerNormalization", x, scale, bias, axis=op.axis, epsilon=op.epsilon)
    spec = write.spec()
    axes = write.constant(range(op.axis % spec.rank, spec.rank))
    mean = write.add("ReduceMean", write.add("Mul", x, x), axes)
    raised = write.add("Add", mean, write.constant(op.epsilon, spec.dtype))
    y = write.add("Mul", write.add("Div", x, write.add("Sqrt", raised)), scale)
    return write.add("Add", y, bias) if bias else y


@spelling(Recurrent)
def recurrent(write: NodeWriter) -> tuple[str, ...]:
    """The gates are the input, of which the weights pick each direction's own."""
    op = write.op
    gates, weights, state, memory, peepholes, bias, lengths = write.inputs
    steps, batch, directions, count, units = write.spec().shape
    dtype, size = write.spec().dtype, count * units
    if op.reverse not in _DIRECTIONS:
        raise write.unsupported(f"{op.label} of such directions")
    names, alphas, betas = _activations(write, op.activations)
    x = write.add("Reshape", gates, write.constant([steps, batch, directions * size]))
    own = np.eye(directions * size).reshape(directions, size, directions * size)
    turned = write.add("Transpose", weights, perm=[0, 2, 3, 1])
    inner = write.add("Reshape", turned, write.constant([directions, size, units]))
    biases = ""
    if bias:  # behind all others: the last gate's, of the old units
        before = write.constant(np.zeros((directions, 2 * size - units)), dtype)
        biases = write.add("Concat", before, bias, axis=1)
    if peepholes:
        peepholes = write.add("Reshape", peepholes, write.constant([directions, 3 * units]))
    inputs = [x, write.constant(own, dtype), inner, biases, lengths, state]
    if op.cell == "LSTM":
        inputs += [memory, peepholes]
    return write.add_several(
        len(write.node.outputs), op.cell, *inputs, hidden_size=units,
        direction=_DIRECTIONS[op.reverse], activations=names * directions,
        activation_alpha=alphas * directions or None, activation_beta=betas * directions or None,
        clip=op.clip, linear_before_reset=1 if op.reset_after else None,
        input_forget=1 if op.coupled else None,
    )  # fmt: skip


def _activations(
    write: NodeWriter, activations: tuple[Expression, ...]
) -> tuple[list[str], list[float], list[float]]:
    """Names of activations, and the alphas and betas of those that have any."""
    steps = [step for activation in activations for step in activation.steps]
    if len(steps) != len(activations):
        raise write.unsupported(f"{write.op.label} with an activation of several functions")
    for step in steps:
        if step.function not in _ACTIVATIONS:
            raise write.unsupported(f"{write.op.label} with the activation {step.function}")
    params = [dict(step.params) for step in steps]
    alphas, betas = ([float(p[n]) for p in params if n in p] for n in ("alpha", "beta"))
    return [step.function for step in steps], alphas, betas
