"""Losses by name: each appends its nodes behind a network's output."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from clnet.errors import InputError
from clnet.graph import GraphBuilder, Value
from clnet.ops.softmax import Softmax
from clnet.ops.softmax_cross_entropy import SoftmaxCrossEntropy

#: The label that leaves a sample out of loss, gradient and metrics.
IGNORED = -1


class Loss(NamedTuple):
    """``value`` is what is minimised, a scalar; ``totals`` [3] holds the sum of the losses, the
    number of right answers, and the number of samples that count."""

    value: Value
    totals: Value


def cross_entropy(build: GraphBuilder, output: Value, labels: Value) -> Loss:
    """Mean cross-entropy of int labels [N, *S] under a network that ends in logits
    [N, C, *S], or in a Softmax over C, whose logits are then taken."""
    last = build.graph.producers().get(output)
    if last is not None and isinstance(last.op, Softmax):
        if last.op.axis % output.spec.rank != 1:
            raise InputError("cross-entropy needs the network's Softmax over axis 1")
        (logits,) = last.inputs
    else:
        logits = output
    return Loss(*build.add(SoftmaxCrossEntropy(), logits, labels, name="cross_entropy"))


LOSSES: dict[str, Callable[[GraphBuilder, Value, Value], Loss]] = {"cross_entropy": cross_entropy}


def find_loss(name: str) -> Callable[[GraphBuilder, Value, Value], Loss]:
    """A loss by name. Raises InputError naming those there are."""
    if name not in LOSSES:
        raise InputError(f"no loss is named {name!r}; there are {', '.join(LOSSES)}")
    return LOSSES[name]
