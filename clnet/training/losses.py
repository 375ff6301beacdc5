"""Losses by name: each appends its nodes behind a network's output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clnet.errors import InputError
from clnet.graph import GraphBuilder, Value
from clnet.ops.dice_loss import DiceLoss
from clnet.ops.element_loss import ElementLoss
from clnet.ops.reshape import Reshape
from clnet.ops.softmax import LogSoftmax, Softmax
from clnet.ops.softmax_cross_entropy import SoftmaxCrossEntropy


class Measured(NamedTuple):
    """``value`` is what is minimised, a scalar; ``totals`` [3] holds the sum of the losses, the
    number of right answers, and the number of answers that count."""

    value: Value
    totals: Value


@dataclass(frozen=True)
class Loss:
    """A loss, what it compares an output with, and what it calls right.

    Targets are integer labels [N, *S] for an output [N, C, *S], or floats of the output's shape.
    A target equal to ``ignored`` (-1, or NaN) leaves its answer out of loss, gradient and metrics.
    ``accuracy`` says in words what the share of right answers is.
    """

    name: str
    labels: bool
    accuracy: str
    append: Callable[[GraphBuilder, Value, Value], Measured]

    @property
    def dtype(self) -> str:
        """Of the targets on the device."""
        return "int32" if self.labels else "float32"

    @property
    def ignored(self) -> float:
        """The target that leaves its answer out."""
        return -1 if self.labels else float("nan")

    def target_shape(self, output_shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of one sample's targets, given that of one sample's output."""
        return tuple(output_shape[1:] if self.labels else output_shape)


def _cross_entropy(build: GraphBuilder, output: Value, labels: Value) -> Measured:
    """Through a Softmax over C at the end of the network, to its logits; also through what only
    drops dimensions of one behind it."""
    producers, value = build.graph.producers(), output
    while (last := producers.get(value)) and isinstance(last.op, Reshape):
        assert last.inputs[0] is not None
        value = last.inputs[0]
    logits = output
    if last is not None and isinstance(last.op, Softmax | LogSoftmax):
        assert last.inputs[0] is not None
        logits = last.inputs[0]
        if last.op.axis % value.spec.rank != 1 or output.spec.shape[:2] != value.spec.shape[:2]:
            raise InputError("cross-entropy needs the network's Softmax over axis 1")
        if value is not output:
            logits = build.add(Reshape(output.spec.shape), logits, name="logits")
    return _measured(build, SoftmaxCrossEntropy(), logits, labels)


def _elements(measure: str) -> Callable[[GraphBuilder, Value, Value], Measured]:
    return lambda build, output, targets: _measured(build, ElementLoss(measure), output, targets)


def _dice(build: GraphBuilder, output: Value, targets: Value) -> Measured:
    return _measured(build, DiceLoss(), output, targets)


def _measured(build: GraphBuilder, op: Any, *inputs: Value | None) -> Measured:
    return Measured(*build.add(op, *inputs, name=op.label))


_TOP = "positions whose largest channel is the target's; of one channel, those within 0.5"
_RIGHT_SIDE = "elements on the target's side of a half"

LOSSES = {
    loss.name: loss
    for loss in (
        Loss("cross_entropy", True, "positions whose largest logit is the label's", _cross_entropy),
        Loss("mse", False, _TOP, _elements("mse")),
        Loss("l1", False, _TOP, _elements("l1")),
        Loss("bce_with_logits", False, _RIGHT_SIDE, _elements("bce_with_logits")),
        Loss("dice", False, _RIGHT_SIDE, _dice),
    )
}


def find_loss(name: str) -> Loss:
    """A loss by name. Raises InputError naming those there are."""
    if name not in LOSSES:
        raise InputError(f"no loss is named {name!r}; there are {', '.join(LOSSES)}")
    return LOSSES[name]
