"""Softmax and LogSoftmax along one axis (ONNX's since opset 13)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Values, Workload, tunable
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, one_float_dtype, present
from clnet.ops.elementwise import elementwise
from clnet.ops.lowering import float_defines, index_text
from clnet.ops.reduce import Reduce
from clnet.ops.rows import dividing_width, group_options, row_launch, width_options
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Softmax(Op):
    """y = exp(x - max x) / sum exp(x - max x) along ``axis``."""

    axis: int = -1

    spellings: ClassVar = {"onnx": {"Softmax": {"axis": "axis"}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 1)
        one_float_dtype(x)
        normal_axis(self.axis, x.rank)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        shifted = x.astype(np.float64) - x.max(self.axis, keepdims=True)
        powers = np.exp(shifted)
        return ((powers / powers.sum(self.axis, keepdims=True)).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        axis = normal_axis(self.axis, x.rank)
        count, step = x.shape[axis], math.prod(x.shape[axis + 1 :])
        rows, along = x.size // count, step == 1
        launches = rows if along else rows // dividing_width(step, device)

        def make(values: Values) -> Candidate:
            width, group = values["VW"], values["GROUP"]
            defines = (
                *float_defines(x.dtype, device),
                ("VW", width),
                ("ROWS", rows),
                ("COUNT", count),
                ("STEP", step),
                ("ROW(o)", index_text((rows // step, step), (count * step, 1), "(o)")),
                ("ALONG", int(along)),
                ("LOGARITHM", int(isinstance(self, LogSoftmax))),
                ("GROUP", group),
            )
            launch = row_launch(rows if along else rows // width, group)
            call = KernelCall("softmax", "softmax", (In(), Out()), *launch, defines)
            return Candidate("softmax", (call,))

        widths = width_options(count if along else step, device, dividing=not along)
        candidate = tunable(make, {"VW": widths, "GROUP": group_options(count, launches, device)})
        return [candidate] if candidate else []

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        y, grad = node.output, grads[0]
        total = _along(build, self.axis, build.add(elementwise("Mul"), grad, y))
        return (build.add(elementwise("Mul"), build.add(elementwise("Sub"), grad, total), y),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(), (Arg((5, 37), low=-30, high=30),))
        yield Case(cls(1), (Arg((2, 21, 3, 4)),), differentiable=True)
        yield Case(cls(0), (Arg((200, 3)),))
        yield Case(cls(-1), (Arg((2, 1000)),))


@register
@dataclass(frozen=True)
class LogSoftmax(Softmax):
    """y = x - max x - log(sum exp(x - max x)) along ``axis``."""

    spellings: ClassVar = {"onnx": {"LogSoftmax": {"axis": "axis"}}}

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        shifted = x.astype(np.float64) - x.max(self.axis, keepdims=True)
        total = np.log(np.exp(shifted).sum(self.axis, keepdims=True))
        return ((shifted - total).astype(x.dtype),)

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        softmax = build.add(elementwise("Exp"), node.output)
        total = _along(build, self.axis, grads[0])
        share = build.add(elementwise("Mul"), softmax, total)
        return (build.add(elementwise("Sub"), grads[0], share),)


def _along(build: GraphBuilder, axis: int, value: Value | None) -> Value:
    """The sum along an axis, which stays as one element."""
    assert value is not None
    total: Value = build.add(Reduce("Sum", (axis % value.spec.rank,), keepdims=True), value)
    return total
