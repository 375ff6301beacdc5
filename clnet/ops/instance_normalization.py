"""InstanceNormalization: each channel of each sample by its own mean and variance."""

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
from clnet.ops.batch_statistics import (
    BatchNormalizationGradient,
    BatchNormalizationTraining,
)
from clnet.ops.checks import one_float_dtype, per_channel, present
from clnet.ops.lowering import float_defines
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.rows import group_options, row_launch, width_options
from clnet.ops.tile import Tile
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class InstanceNormalization(Op):
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias over the spatial axes of x[N, C, ...]."""

    epsilon: float = 1e-5

    spellings: ClassVar = {"onnx": {"InstanceNormalization": {"epsilon": "epsilon"}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, scale, bias = (
            present(s, n) for s, n in zip(inputs, ("x", "scale", "bias"), strict=True)
        )
        present(x, "x", 3)
        one_float_dtype(x, scale, bias)
        per_channel(x, scale, bias)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, bias = (a for a in inputs if a is not None)
        axes = tuple(range(2, x.ndim))
        shape = (1, -1) + (1,) * len(axes)
        wide = x.astype(np.float64)
        mean, var = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
        y = (wide - mean) / np.sqrt(var + self.epsilon)
        return ((y * scale.reshape(shape) + bias.reshape(shape)).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        rows, count = x.shape[0] * x.shape[1], math.prod(x.shape[2:])
        name = "instance_normalization"
        args = (In(0), In(1), In(2), Out(), np.float32(self.epsilon))

        def make(values: Values) -> Candidate:
            defines = (
                *float_defines(x.dtype, device),
                ("VW", values["VW"]),
                ("ROWS", rows),
                ("CHANNELS", x.shape[1]),
                ("COUNT", count),
                ("GROUP", values["GROUP"]),
            )
            launch = row_launch(rows, values["GROUP"])
            return Candidate(name, (KernelCall(name, name, args, *launch, defines),))

        groups = group_options(count, rows, device)
        candidate = tunable(make, {"VW": width_options(count, device), "GROUP": groups})
        return [candidate] if candidate else []

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        # The same as batch normalisation where every feature map is a channel of its own.
        x, scale, bias = node.inputs
        assert x is not None
        n, c = x.spec.shape[:2]
        maps = Reshape((1, n * c, math.prod(x.spec.shape[2:])))
        rows, factors = build.add(maps, x), build.add(Tile((n,)), scale)
        shifts = build.add(Tile((n,)), bias)
        _, mean, var = build.add(BatchNormalizationTraining(self.epsilon), rows, factors, shifts)
        gradient = BatchNormalizationGradient(self.epsilon)
        dx, *channels = build.add(gradient, rows, factors, mean, var, build.add(maps, grads[0]))
        total = Reduce("Sum", (0,), keepdims=False)
        dscale, dbias = (build.add(total, build.add(Reshape((n, c)), v)) for v in channels)
        return build.add(Reshape(x.spec.shape), dx), dscale, dbias

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(), (Arg((2, 3, 5, 7)), Arg((3,)), Arg((3,))), differentiable=True)
        yield Case(cls(1e-2), (Arg((1, 4, 300), low=3, high=5), Arg((4,)), Arg((4,))))
