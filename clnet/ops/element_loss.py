"""Losses that compare an output with targets element by element."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.lowering import float_defines, grid
from clnet.ops.totals import totals_calls
from clnet.tensor_spec import TensorSpec


class Measure(NamedTuple):
    """A loss of one element x with target t, its slope d loss / d x, and when x is right: in
    OpenCL C and in NumPy."""

    loss_code: str
    slope_code: str
    right_code: str
    loss: Callable[[np.ndarray, np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray, np.ndarray], np.ndarray]
    right: Callable[[np.ndarray, np.ndarray], np.ndarray]
    #: Whether, of several channels, only the largest must be where the target's is.
    top: bool


_NEAR = ("fabs(x - t) < (accum)0.5f", lambda x, t: np.abs(x - t) < 0.5)
MEASURES = {
    "mse": Measure(
        "(x - t) * (x - t)", "2 * (x - t)", _NEAR[0],
        lambda x, t: (x - t) ** 2, lambda x, t: 2 * (x - t), _NEAR[1], top=True,
    ),
    "l1": Measure(
        "fabs(x - t)", "(x > t ? 1 : x < t ? -1 : 0)", _NEAR[0],
        lambda x, t: np.abs(x - t), lambda x, t: np.sign(x - t), _NEAR[1], top=True,
    ),
    "bce_with_logits": Measure(
        "max(x, (accum)0) - x * t + log1p(exp(-fabs(x)))",
        "1 / (1 + exp(-x)) - t",
        "(x > 0) == (t > (accum)0.5f)",
        lambda x, t: np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))),
        lambda x, t: 1 / (1 + np.exp(-x)) - t,
        lambda x, t: (x > 0) == (t > 0.5),
        top=False,
    ),
}  # fmt: skip


@register
@dataclass(frozen=True)
class ElementLoss(Op):
    """The mean over all elements of ``measure`` (a key of MEASURES), and what metrics need.

    Inputs: an output x[N, C, *S] (or [N]), targets of its shape. A target that is NaN leaves its
    element out. Outputs: the loss, and totals[3]: the sum of the elements' losses, the number of
    right elements, and the number of elements that count. With "mse" and "l1" of several channels
    the elements of a position n, s are right together: where its largest channel is the target's.
    Only the loss has a gradient.
    """

    measure: str

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, t = present(inputs[0], "x", 1), present(inputs[1], "targets")
        one_float_dtype(x, t)
        if x.shape != t.shape:
            raise ShapeError(f"targets {list(t.shape)} do not fit an output {list(x.shape)}")
        return x.with_shape(()), x.with_shape((3,))

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, t = inputs
        assert x is not None and t is not None
        measure = MEASURES[self.measure]
        wide, known = x.astype(np.float64), t == t
        total = measure.loss(wide, t)[known].sum()
        right = measure.right(wide, t)
        if measure.top and x.ndim > 1 and x.shape[1] > 1:
            targets = np.where(known, t, -np.inf)
            right = np.broadcast_to((wide.argmax(1) == targets.argmax(1))[:, None], x.shape)
        totals = np.array([total, right[known].sum(), known.sum()])
        loss = np.asarray(total / max(1, known.sum()))
        return loss.astype(x.dtype), totals.astype(x.dtype)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, defines = workload.input(0), _defines(self.measure, workload.input(0), device)
        return [totals_calls("element_loss", _positions(x), x.dtype, defines, device)]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        slope = ElementLossGradient(self.measure)
        return build.add(slope, *node.inputs, node.outputs[1], grads[0]), None

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for measure in MEASURES:
            for shape in ((5, 3), (130,), (2, 4, 5, 7), (6, 1, 900)):
                targets = Arg(shape, low=0, high=1).make(np.random.default_rng(1))
                targets.reshape(-1)[2] = np.nan
                given = Arg(shape), Arg(shape, values=targets)
                yield Case(cls(measure), given, differentiable=(0,))
        yield Case(cls("mse"), (Arg((3, 2)), Arg((3, 2), values=np.full((3, 2), np.nan))))


@register
@dataclass(frozen=True)
class ElementLossGradient(Op):
    """d loss / d x = grad * slope(x, t) / elements that count; 0 where the target is NaN.

    Inputs: x and targets as ElementLoss had them, its totals, and grad, a scalar.
    """

    measure: str

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, t, totals, grad = inputs
        if ElementLoss(self.measure).infer(x, t) != (grad, totals) or x is None:
            raise ShapeError(f"gradient {grad} and totals {totals} do not fit an output {x}")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, t, totals, grad = inputs
        assert x is not None and t is not None and totals is not None
        slope = MEASURES[self.measure].slope(x.astype(np.float64), t)
        return ((np.where(t == t, slope, 0) * grad / max(1, totals[2])).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        call = KernelCall(
            "element_loss", "element_loss_gradient", (In(0), In(1), In(2), In(3), Out()),
            grid(x.size), None, _defines(self.measure, x, device),
        )  # fmt: skip
        return [Candidate("elements", (call,))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for measure in MEASURES:
            totals = Arg((3,), values=[3.0, 2.0, 6.0])
            targets = Arg((7, 5), values=np.where(np.eye(7, 5) > 0, np.nan, 0.3))
            yield Case(cls(measure), (Arg((7, 5)), targets, totals, Arg(())))


def _positions(x: TensorSpec) -> int:
    return x.shape[0] * math.prod(x.shape[2:])


def _defines(measure: str, x: TensorSpec, device: DeviceInfo) -> tuple[Define, ...]:
    row = MEASURES[measure]
    channels = x.shape[1] if x.rank > 1 else 1
    return (
        *float_defines(x.dtype, device),
        ("LOSS(x, t)", f"({row.loss_code})"),
        ("SLOPE(x, t)", f"({row.slope_code})"),
        ("RIGHT(x, t)", f"({row.right_code})"),
        ("TOP", int(row.top and channels > 1)),
        ("SIZE", x.size),
        ("CHANNELS", channels),
        ("SPATIAL", math.prod(x.shape[2:])),
        ("POSITIONS", _positions(x)),
    )
