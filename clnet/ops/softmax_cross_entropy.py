"""Softmax cross-entropy: the loss of a classifier, straight from its logits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.lowering import STORAGE_TYPES, float_defines, grid
from clnet.ops.totals import totals_calls
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class SoftmaxCrossEntropy(Op):
    """The mean of -log softmax(logits)[label] over all positions, and what metrics need.

    Inputs: logits[N, C, *S], int32 or int64 labels[N, *S]. A label outside 0..C-1 (-1, say) leaves
    its position out. Outputs: the loss, and totals[3]: the sum of the losses, the number of
    positions whose largest logit is the label's, and the number of positions that count. Only the
    loss has a gradient.
    """

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        logits, labels = inputs
        assert logits is not None and labels is not None
        if logits.rank < 2 or not logits.is_float or logits.shape[1] < 1:
            raise ShapeError(f"logits are {logits}, not floats [N, C, ...]")
        if labels.dtype not in ("int32", "int64"):
            raise ShapeError(f"labels are {labels.dtype}, not int32 or int64")
        if labels.shape != (logits.shape[0], *logits.shape[2:]):
            raise ShapeError(f"labels {list(labels.shape)} do not fit logits {list(logits.shape)}")
        return logits.with_shape(()), logits.with_shape((3,))

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        logits, labels = inputs
        assert logits is not None and labels is not None
        log_p = _log_softmax(logits)
        counts = (labels >= 0) & (labels < logits.shape[1])
        picked = np.take_along_axis(log_p, np.where(counts, labels, 0)[:, None], axis=1)[:, 0]
        total = -picked[counts].sum()
        correct = (log_p.argmax(axis=1) == labels).sum()
        totals = np.array([total, correct, counts.sum()])
        loss = np.asarray(total / max(1, counts.sum()))
        return loss.astype(logits.dtype), totals.astype(logits.dtype)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        positions, defines = workload.input(1).size, _defines(workload, device)
        dtype = workload.input(0).dtype
        return [totals_calls("softmax_cross_entropy", positions, dtype, defines, device)]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        logits, labels = node.inputs
        totals = node.outputs[1]
        return build.add(SoftmaxCrossEntropyGradient(), logits, labels, totals, grads[0]), None

    @classmethod
    def cases(cls) -> Iterable[Case]:
        labels = Arg((7,), "int32", -1, 5)
        yield Case(cls(), (Arg((7, 5)), labels), differentiable=True)
        yield Case(cls(), (Arg((130, 10), low=-30, high=30), Arg((130,), "int64", 0, 10)))
        yield Case(cls(), (Arg((2, 3, 5, 7)), Arg((2, 5, 7), "int32", 0, 3)), differentiable=True)
        yield Case(cls(), (Arg((2, 3, 50, 7)), Arg((2, 50, 7), "int32", 0, 3)))
        yield Case(cls(), (Arg((3, 4)), Arg((3,), "int32", values=[-1, -1, 9])))


@register
@dataclass(frozen=True)
class SoftmaxCrossEntropyGradient(Op):
    """d loss / d logits = grad * (softmax(logits) - onehot(label)) / positions that count.

    Inputs: logits and labels as SoftmaxCrossEntropy had them, its totals, and grad, a scalar.
    """

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        logits, labels, totals, grad = inputs
        assert logits is not None and totals is not None and grad is not None
        if (*SoftmaxCrossEntropy().infer(logits, labels),) != (grad, totals):
            raise ShapeError(f"gradient {grad} and totals {totals} do not fit logits {logits}")
        return (logits,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        logits, labels, totals, grad = inputs
        assert logits is not None and labels is not None
        assert totals is not None and grad is not None
        classes = np.arange(logits.shape[1]).reshape(-1, *(1,) * (logits.ndim - 2))
        onehot = labels[:, None] == classes
        counts = onehot.any(axis=1, keepdims=True)
        result = (np.exp(_log_softmax(logits)) - onehot) * counts * grad / max(1, totals[2])
        return (result.astype(logits.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        call = KernelCall(
            "softmax_cross_entropy", "softmax_cross_entropy_gradient",
            (In(0), In(1), In(2), In(3), Out()), grid(workload.input(1).size), None,
            _defines(workload, device),
        )  # fmt: skip
        return [Candidate("row per work-item", (call,))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        totals = Arg((3,), values=[3.0, 2.0, 6.0])
        yield Case(cls(), (Arg((7, 5)), Arg((7,), "int32", -1, 5), totals, Arg(())))
        yield Case(cls(), (Arg((2, 3, 5, 7)), Arg((2, 5, 7), "int64", 0, 3), totals, Arg(())))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _defines(workload: Workload, device: DeviceInfo) -> tuple[Define, ...]:
    logits, labels = workload.input(0), workload.input(1)
    return (
        *float_defines(logits.dtype, device),
        ("LABEL", STORAGE_TYPES[labels.dtype]),
        ("POSITIONS", labels.size),
        ("CLASSES", logits.shape[1]),
        ("SPATIAL", math.prod(logits.shape[2:])),
    )
