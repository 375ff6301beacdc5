"""BatchNormalization as inference sees it: an affine map per channel."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from clnet.calls import (
    BlasCall,
    Candidate,
    Define,
    In,
    KernelCall,
    Out,
    Values,
    Work,
    Workload,
    tunable,
)
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.blas import blas_usable
from clnet.ops.checks import one_float_dtype, per_channel, present
from clnet.ops.elementwise import calculate
from clnet.ops.lowering import ceil_div, float_defines, grid
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.rows import width_options
from clnet.tensor_spec import TensorSpec

#: More feature maps than this make one BLAS call each absurd.
MAX_BLAS_MAPS = 64


@register
@dataclass(frozen=True)
class BatchNormalization(Op):
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias, for x[N, C, ...] channel by channel."""

    epsilon: float = 1e-5

    spellings: ClassVar = {"onnx": {"BatchNormalization": {"epsilon": "epsilon"}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        names = ("x", "scale", "bias", "mean", "var")
        x, *channels = (present(s, n) for s, n in zip(inputs, names, strict=True))
        present(x, "x", 2)
        one_float_dtype(x, *channels)
        per_channel(x, *channels)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, *channels = (a for a in inputs if a is not None)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        scale, bias, mean, var = (c.reshape(shape) for c in channels)
        return (((x - mean) / np.sqrt(var + self.epsilon) * scale + bias).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        maps, spatial = x.shape[0] * x.shape[1], math.prod(x.shape[2:])
        name, epsilon = "batch_normalization", np.float32(self.epsilon)

        def macros(width: int, vectors: int) -> tuple[Define, ...]:
            return (
                *float_defines(x.dtype, device),
                ("VW", width),
                ("CHANNELS", x.shape[1]),
                ("SPATIAL", spatial),
                ("VECTORS", vectors),
            )

        def make(values: Values) -> Candidate:
            width = values["VW"]
            vectors = ceil_div(spatial, width) if device.is_cpu else 1  # there: a feature map each
            args = (In(0), In(1), In(2), In(3), In(4), Out(), epsilon)
            size = grid(ceil_div(spatial, width * vectors), maps)
            call = KernelCall(name, name, args, size, None, macros(width, vectors))
            return Candidate(name, (call,))

        own = tunable(make, {"VW": width_options(spatial, device)})
        assert own is not None
        candidates = [own]
        if blas_usable(x.dtype, device) and maps <= MAX_BLAS_MAPS:
            args = (In(1), In(2), In(3), In(4), Work(), Out(), epsilon)
            size = grid(spatial, maps)
            prepare = KernelCall(name, f"{name}_prepare", args, size, None, macros(1, 1))
            columns = [column(m, m % x.shape[1], spatial, x.dtype) for m in range(maps)]
            work = (x.shape[1] * x.itemsize,)
            candidates.append(Candidate("clblast_gemv", (prepare, *columns), work))
        return candidates

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        """With mean and variance as given: a frozen layer, or one being fine-tuned."""
        x, grad = node.inputs[0], grads[0]
        assert x is not None and grad is not None
        channels = Reshape((x.spec.shape[1], *(1,) * (x.spec.rank - 2)))
        scale, _, mean, var = (build.add(channels, v) for v in node.inputs[1:])
        apply = partial(calculate, build)

        def total(value: Value) -> Any:
            axes = (0, *range(2, value.spec.rank))
            return build.add(Reduce("Sum", axes, keepdims=False), value)

        wide = apply("Shift", var, offset=self.epsilon)
        factor = apply("Reciprocal", apply("Sqrt", wide))
        slope = apply("Mul", scale, factor)
        dx = apply("Mul", grad, slope)
        dscale = total(apply("Mul", grad, apply("Mul", apply("Sub", x, mean), factor)))
        dbias = total(grad)
        flat = Reshape(dbias.spec.shape)
        dmean = apply("Neg", apply("Mul", dbias, build.add(flat, slope)))
        along = build.add(flat, apply("Scale", apply("Div", scale, wide), factor=-0.5))
        return dx, dscale, dbias, dmean, apply("Mul", dscale, along)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        channels = [Arg((5,)), Arg((5,)), Arg((5,)), Arg((5,), low=0.1)]
        yield Case(cls(), (Arg((2, 5, 3, 7)), *channels), differentiable=True)
        yield Case(cls(1e-2), (Arg((3, 5)), *channels))


def column(number: int, channel: int, spatial: int, dtype: str) -> BlasCall:
    """out[map] += x[map] * factor: the feature map is a matrix of one column, and the factor, which
    only the device knows, a vector of one element."""
    offsets = (number * spatial, channel, number * spatial)
    params = (("a_ld", 1), ("alpha", 1.0), ("beta", 1.0))
    return BlasCall("gemv", dtype, (In(0), Work(), Out()), (spatial, 1), offsets, params)
