"""GlobalAveragePool and GlobalMaxPool: a reduction over all spatial axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.reduce import Reduce
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class GlobalAveragePool(Op):
    """y[N, C, 1, ...] = mean of x[N, C, ...] over its spatial axes."""

    function: ClassVar[str] = "Mean"
    spellings: ClassVar = {"onnx": {"GlobalAveragePool": {}}}

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x", 3)
        one_float_dtype(x)
        return self.reduction(x.rank).infer(x)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return self.reduction(x.ndim).reference(x)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return self.reduction(workload.input(0).rank).lower(workload, device)

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (x,) = node.inputs
        assert x is not None
        return self.reduction(x.spec.rank).vjp(build, node, grads)

    def reduction(self, rank: int) -> Reduce:
        """The same as a Reduce over an input of ``rank``."""
        return Reduce(self.function, tuple(range(2, rank)), True)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        yield Case(cls(), (Arg((2, 3, 5, 7)),), differentiable=True)
        yield Case(cls(), (Arg((1, 5, 33)),))


@register
@dataclass(frozen=True)
class GlobalMaxPool(GlobalAveragePool):
    """y[N, C, 1, ...] = maximum of x[N, C, ...] over its spatial axes."""

    function: ClassVar[str] = "Max"
    spellings: ClassVar = {"onnx": {"GlobalMaxPool": {}}}
