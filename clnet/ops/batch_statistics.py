"""BatchNormalization as training sees it: by the statistics of the batch, with their gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, per_channel, present
from clnet.ops.lowering import ceil_div, float_defines, grid
from clnet.ops.rows import fitting_width, group_size, row_launch
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class BatchNormalizationTraining(Op):
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias; mean and var are those of each channel
    of x[N, C, ...] over all other axes.

    Inputs: x, scale[C], bias[C]. Outputs: y, mean[C], var[C], the latter divided by the number of
    elements. Only y has a gradient.

    Ioffe & Szegedy, "Batch Normalization" (2015).
    """

    epsilon: float = 1e-5

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, *channels = (present(s, n) for s, n in zip(inputs, ("x", "scale", "bias"), strict=True))
        present(x, "x", 2)
        one_float_dtype(x, *channels)
        per_channel(x, *channels)
        return x, channels[0], channels[0]

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, bias = (a for a in inputs if a is not None)
        shape = _channel_shape(x)
        mean, var, normal = _normalised(x, self.epsilon)
        y = normal * scale.reshape(shape) + bias.reshape(shape)
        return y.astype(x.dtype), mean.ravel().astype(x.dtype), var.ravel().astype(x.dtype)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x = workload.input(0)
        statistics = _per_channel_call("batch_statistics", (In(0), Out(1), Out(2)), x, device)
        args = (In(0), In(1), In(2), Out(1), Out(2), Out(0), np.float32(self.epsilon))
        normalise = _per_map_call("batch_normalization", "batch_normalization", args, x, device)
        return [Candidate("two passes", (statistics, normalise))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        x, scale, _ = node.inputs
        _, mean, var = node.outputs
        result: tuple[Value | None, ...] = build.add(
            BatchNormalizationGradient(self.epsilon), x, scale, mean, var, grads[0]
        )
        return result

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for shape in ((3, 5, 4, 7), (2, 3, 300), (9, 4)):
            channels = Arg(shape[1:2]), Arg(shape[1:2])
            yield Case(cls(1e-2), (Arg(shape), *channels), differentiable=True, tolerance=1e-4)


@register
@dataclass(frozen=True)
class BatchNormalizationGradient(Op):
    """dx, dscale and dbias of a BatchNormalizationTraining, from x, scale, its mean and var, and
    dy."""

    epsilon: float = 1e-5

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        names = ("x", "scale", "mean", "var", "dy")
        x, scale, mean, var, dy = (present(s, n) for s, n in zip(inputs, names, strict=True))
        one_float_dtype(x, scale, mean, var, dy)
        per_channel(x, scale, mean, var)
        return x, scale, scale

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, mean, var, dy = (a.astype(np.float64) for a in inputs if a is not None)
        axes, shape = _other_axes(x), _channel_shape(x)
        factor = 1 / np.sqrt(var + self.epsilon).reshape(shape)
        normal = (x - mean.reshape(shape)) * factor
        dbias = dy.sum(axes, keepdims=True)
        dscale = (dy * normal).sum(axes, keepdims=True)
        count = x.size // x.shape[1]
        dx = scale.reshape(shape) * factor * (dy - (dbias + normal * dscale) / count)
        assert inputs[0] is not None
        dtype = inputs[0].dtype
        return dx.astype(dtype), dscale.ravel().astype(dtype), dbias.ravel().astype(dtype)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, epsilon = workload.input(0), np.float32(self.epsilon)
        sums = _per_channel_call(
            "batch_statistics_sums", (In(0), In(2), In(3), In(4), Out(1), Out(2), epsilon), x,
            device,
        )  # fmt: skip
        args = (*(In(i) for i in range(5)), Out(1), Out(2), Out(0), epsilon)
        name = "batch_statistics"
        return [
            Candidate(
                "two passes", (sums, _per_map_call(name, f"{name}_gradient", args, x, device))
            )
        ]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for shape in ((3, 5, 4, 7), (2, 3, 300), (9, 4)):
            channels = Arg(shape[1:2]), Arg(shape[1:2]), Arg(shape[1:2], low=0.5)
            yield Case(cls(1e-2), (Arg(shape), *channels, Arg(shape)), tolerance=1e-4)


def _other_axes(x: np.ndarray) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _channel_shape(x: np.ndarray) -> tuple[int, ...]:
    return (1, -1) + (1,) * (x.ndim - 2)


def _normalised(x: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance, and x with mean 0 and variance 1, channel by channel, in float64."""
    wide = x.astype(np.float64)
    mean = wide.mean(_other_axes(x), keepdims=True)
    var = wide.var(_other_axes(x), keepdims=True)
    return mean, var, (wide - mean) / np.sqrt(var + epsilon)


def _defines(x: TensorSpec, device: DeviceInfo) -> tuple[Define, ...]:
    spatial = math.prod(x.shape[2:])
    return (
        *float_defines(x.dtype, device),
        ("VW", fitting_width(spatial, device)),
        ("BATCH", x.shape[0]),
        ("CHANNELS", x.shape[1]),
        ("SPATIAL", spatial),
    )


def _per_channel_call(kernel: str, args: tuple, x: TensorSpec, device: DeviceInfo) -> KernelCall:
    """A launch whose groups take a channel each."""
    group = group_size(x.size // x.shape[1], x.shape[1], device)
    defines = (*_defines(x, device), ("VECTORS", 1), ("GROUP", group))
    launch = row_launch(x.shape[1], group)
    return KernelCall("batch_statistics", kernel, args, *launch, defines)


def _per_map_call(
    source: str, kernel: str, args: tuple, x: TensorSpec, device: DeviceInfo
) -> KernelCall:
    """A launch over the feature maps: on CPUs an item takes a whole one."""
    spatial, maps = math.prod(x.shape[2:]), x.shape[0] * x.shape[1]
    width = fitting_width(spatial, device)
    vectors = ceil_div(spatial, width) if device.is_cpu else 1
    defines = (*_defines(x, device), ("VECTORS", vectors))
    size = grid(ceil_div(spatial, width * vectors), maps)
    return KernelCall(source, kernel, args, size, None, defines)
