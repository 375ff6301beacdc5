"""LayerNormalization: the last axes by their own mean and variance, or by their size alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Values, Workload, tunable
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import normal_axis, one_float_dtype, present
from clnet.ops.elementwise import calculate
from clnet.ops.lowering import float_defines
from clnet.ops.reduce import Reduce
from clnet.ops.rows import group_options, row_launch, width_options
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class LayerNormalization(Op):
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias over the axes of x from ``axis`` on; not
    ``centred``: y = x / sqrt(mean(x * x) + epsilon) * scale + bias. Scale and bias (or None) have
    the shape of these axes."""

    axis: int = -1
    epsilon: float = 1e-5
    centred: bool = True

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, scale, bias = present(inputs[0], "x", 1), present(inputs[1], "scale"), inputs[2]
        one_float_dtype(x, scale, bias)
        shape = x.shape[normal_axis(self.axis, x.rank) :]
        if scale.shape != shape or (bias is not None and bias.shape != shape) or not x.size:
            raise ShapeError(f"scale {scale} and bias {bias} over the last axes of {x}")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, bias = inputs
        assert x is not None and scale is not None
        axes = tuple(range(normal_axis(self.axis, x.ndim), x.ndim))
        wide = x.astype(np.float64)
        if self.centred:
            wide = wide - wide.mean(axes, keepdims=True)
        size = (wide * wide).mean(axes, keepdims=True)
        y = wide / np.sqrt(size + self.epsilon) * scale + (0 if bias is None else bias)
        return (y.astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, count = workload.input(0), workload.input(1).size
        rows = x.size // count
        name, bias = "layer_normalization", workload.has(2)
        given = (In(0), In(1), In(2)) if bias else (In(0), In(1))

        def make(values: Values) -> Candidate:
            defines = (
                *float_defines(x.dtype, device),
                ("VW", values["VW"]),
                ("ROWS", rows),
                ("COUNT", count),
                ("CENTRED", int(self.centred)),
                ("HAS_BIAS", int(bias)),
                ("GROUP", values["GROUP"]),
            )
            launch = row_launch(rows, values["GROUP"])
            args = (*given, Out(), np.float32(self.epsilon))
            return Candidate(name, (KernelCall(name, name, args, *launch, defines),))

        groups = group_options(count, rows, device)
        candidate = tunable(make, {"VW": width_options(count, device), "GROUP": groups})
        return [candidate] if candidate else []

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        # With n = (x - mean) / deviation, and g = dy * scale, which is n's gradient:
        # dx = (g - mean(g) - n * mean(g * n)) / deviation.
        x, scale, _ = node.inputs
        assert x is not None
        apply = partial(calculate, build)
        axis = normal_axis(self.axis, x.spec.rank)
        mean = Reduce("Mean", tuple(range(axis, x.spec.rank)))
        rest = apply("Sub", x, build.add(mean, x)) if self.centred else x
        variance = build.add(mean, apply("Mul", rest, rest))
        factor = apply("Reciprocal", apply("Sqrt", apply("Shift", variance, offset=self.epsilon)))
        normal = apply("Mul", rest, factor)
        inner = apply("Mul", grads[0], scale)
        across = apply("Mul", normal, build.add(mean, apply("Mul", inner, normal)))
        left = apply("Sub", inner, across)
        if self.centred:
            left = apply("Sub", left, build.add(mean, inner))
        return apply("Mul", left, factor), apply("Mul", grads[0], normal), grads[0]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for centred in (True, False):
            op, rows = cls(-1, centred=centred), Arg((200,))
            yield Case(op, (Arg((3, 7, 200)), rows, rows), differentiable=True)
            op = cls(1, 1e-2, centred)
            yield Case(op, (Arg((2, 3, 5)), Arg((3, 5)), None), differentiable=True)
        shifted = Arg((4, 300), low=30, high=32)  # a variance far below the mean's square
        yield Case(cls(), (shifted, Arg((300,)), Arg((300,))), 1e-4, 5e-2)
        yield Case(cls(0), (Arg((1,)), Arg((1,)), None))
