"""Dice loss: how little two sets overlap, for segmentation."""

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
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.lowering import float_defines, grid
from clnet.ops.rows import group_size
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class DiceLoss(Op):
    """The mean of 1 - (2 sum x t + 1) / (sum x + sum t + 1) over planes n, c; what metrics need.

    Inputs: probabilities x[N, C, *S], targets of its shape within [0, 1]. A plane whose targets
    hold a NaN is left out. Outputs: the loss; totals[3]: the sum of the planes' losses, the sum of
    their shares of elements on the target's side of a half, and the number of planes that count;
    sums[N, C, 3]: each plane's sum x t, sum x + sum t, and that share. Only the loss has a
    gradient.

    After Milletari et al., "V-Net" (2016), with sums in place of sums of squares; the ones keep it
    defined where both sets are empty.
    """

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, t = present(inputs[0], "x", 2), present(inputs[1], "targets")
        one_float_dtype(x, t)
        if x.shape != t.shape:
            raise ShapeError(f"targets {list(t.shape)} do not fit an output {list(x.shape)}")
        return x.with_shape(()), x.with_shape((3,)), x.with_shape((*x.shape[:2], 3))

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, t = (a.reshape(*a.shape[:2], -1).astype(np.float64) for a in inputs if a is not None)
        overlap, mass = (x * t).sum(-1), (x + t).sum(-1)
        right = ((x > 0.5) == (t > 0.5)).mean(-1)
        losses = 1 - (2 * overlap + 1) / (mass + 1)
        counts = mass == mass
        totals = np.array([losses[counts].sum(), right[counts].sum(), counts.sum()])
        sums = np.stack([overlap, mass, right], -1)
        loss = np.asarray(totals[0] / max(1, totals[2]))
        assert inputs[0] is not None
        dtype = inputs[0].dtype
        return loss.astype(dtype), totals.astype(dtype), sums.astype(dtype)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        defines, group = _defines(x, device), group_size(_plane(x), x.shape[0] * x.shape[1], device)
        planes = KernelCall(
            "dice_loss", "dice_loss_planes", (In(0), In(1), Out(2)),
            (x.shape[0] * x.shape[1] * group,), (group,), (*defines, ("GROUP", group)),
        )  # fmt: skip
        total = KernelCall(
            "dice_loss", "dice_loss", (Out(2), Out(0), Out(1)), (1,), (1,), (*defines, ("GROUP", 1))
        )
        return [Candidate("planes", (planes, total))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        _, totals, sums = node.outputs
        return build.add(DiceLossGradient(), node.inputs[1], sums, totals, grads[0]), None

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for shape in ((2, 3, 5, 7), (1, 2, 900), (3, 1, 2, 3, 4)):
            targets = Arg(shape, low=0, high=1).make(np.random.default_rng(1))
            given = Arg(shape, low=0, high=1), Arg(shape, values=targets)
            yield Case(cls(), given, differentiable=(0,))
        targets[0] = np.nan
        yield Case(cls(), (Arg(shape, low=0, high=1), Arg(shape, values=targets)))


@register
@dataclass(frozen=True)
class DiceLossGradient(Op):
    """d loss / d x of DiceLoss, from targets, its sums and totals, and grad, a scalar; 0 in planes
    that do not count."""

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        t, sums, totals, grad = inputs
        if DiceLoss().infer(t, t) != (grad, totals, sums) or t is None:
            raise ShapeError(f"gradient {grad}, totals {totals}, sums {sums} do not fit {t}")
        return (t,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        t, sums, totals, grad = inputs
        assert t is not None and sums is not None and totals is not None
        shape = (*t.shape[:2], *(1,) * (t.ndim - 2))
        overlap, mass = (sums[..., i].astype(np.float64).reshape(shape) for i in (0, 1))
        slope = (2 * overlap + 1 - 2 * t * (mass + 1)) / (mass + 1) ** 2
        slope = np.where(mass == mass, slope, 0) * grad / max(1, totals[2])
        return (slope.astype(t.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        t = workload.input(0)
        call = KernelCall(
            "dice_loss", "dice_loss_gradient", (In(0), In(1), In(2), In(3), Out()), grid(t.size),
            None, (*_defines(t, device), ("GROUP", 1)),
        )  # fmt: skip
        return [Candidate("elements", (call,))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        sums = np.array([[[1.5, 4, 0.5], [np.nan, np.nan, 0.5]]] * 2, np.float32)
        totals = Arg((3,), values=[3.0, 2.0, 2.0])
        yield Case(cls(), (Arg((2, 2, 3, 5), low=0), Arg(sums.shape, values=sums), totals, Arg(())))


def _plane(x: TensorSpec) -> int:
    return math.prod(x.shape[2:])


def _defines(x: TensorSpec, device: DeviceInfo) -> tuple[Define, ...]:
    planes = x.shape[0] * x.shape[1]
    return (*float_defines(x.dtype, device), ("PLANES", planes), ("PLANE", _plane(x)))
