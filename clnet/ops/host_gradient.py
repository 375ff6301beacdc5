"""Gradients that the host computes: of ops whose work the data decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.tensor_spec import TensorSpec


def host_vjp(build: GraphBuilder, node: Node, grad: Value | None) -> tuple[Value | None, ...]:
    """The gradient of the first input of such a node; the others have none."""
    first = build.add(HostGradient(node.op), *node.inputs, grad)
    return first, *(None for _ in node.inputs[1:])


@register
@dataclass(frozen=True)
class HostGradient(Op):
    """dx = ``op.pull_back(*inputs, dy)``, for the inputs of ``op``, of which x is the first."""

    op: Any

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        return (present(inputs[0], "x"),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert inputs[0] is not None
        return (self.op.pull_back(*inputs).astype(inputs[0].dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        operands = tuple(In(i) for i in range(len(workload.inputs)))
        return [Candidate("host", (HostCall(self.reference, operands, (Out(),)),))]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        from clnet.ops.determinant import Determinant

        yield Case(cls(Determinant()), (Arg((2, 3, 3)), Arg((2,))))
