"""Update: the next values of states, computed elementwise and stored in their places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Op, register
from clnet.ops.elementwise import elementwise_candidate
from clnet.ops.elementwise_blas import blas_candidates
from clnet.ops.expression import Expression
from clnet.tensor_spec import TensorSpec

#: state + increment
ADD = Expression.of("Add")


@register
@dataclass(frozen=True)
class Update(Op):
    """states <- expression(*states, *others), each in its own memory.

    Every optimizer step is made of these. The first inputs are ``state`` values of one shape, the
    others are broadcast to it. ``results`` names the values of the expression that become the
    states' new ones, in their order, counted from the last (-1). The node must stand behind all
    that read the old values.
    """

    expression: Expression
    results: tuple[int, ...] = (-1,)
    foldable = False
    updates_state = True

    @property
    def label(self) -> str:
        return f"Update {self.expression.label}"

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        specs = [s for s in inputs if s is not None]
        shape = np.broadcast_shapes(*(s.shape for s in specs))
        dtypes = self.expression.dtypes([s.dtype for s in specs])
        new = tuple(TensorSpec(shape, dtypes[r]) for r in self.results)
        for result, state in zip(new, specs, strict=False):
            if result != state:
                raise ShapeError(f"the new value is {result}, the state is {state}")
        return new

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        arrays = [a for a in inputs if a is not None]
        values = self.expression.evaluate_all(*arrays)
        return tuple(np.broadcast_to(values[r], arrays[0].shape) for r in self.results)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        # Each work-item reads its elements before it writes them, and no others of the states.
        candidates = [elementwise_candidate(self.expression, self.results, workload, device)]
        if len(self.results) == 1:
            copied = blas_candidates(self.expression, workload, device)
            candidates += [replace(c, calls=c.calls[1:]) for c in copied]  # it is there already
        places = tuple(Placement(Out(i), In(i)) for i in range(len(self.results)))
        return [replace(c, placements=places) for c in candidates]


@register
@dataclass(frozen=True)
class UpdateBehind(Op):
    """A state's next value as the epilogue of ``op``: its output, stored in the place of input
    ``state``, which is among the epilogue's operands and which the op itself does not read."""

    op: Any
    state: int
    foldable = False
    updates_state = True

    @property
    def label(self) -> str:
        return f"Update behind {self.op.label}"

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        result: tuple[TensorSpec, ...] = self.op.infer(*inputs)
        if result != (inputs[self.state],):
            raise ShapeError(f"the new value is {result[0]}, the state is {inputs[self.state]}")
        return result

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        result: tuple[np.ndarray, ...] = self.op.reference(*inputs)
        return result

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        # Kernels read what belongs to an element just before they store it; BLAS stores first.
        place = Placement(Out(), In(self.state))
        return [
            replace(c, placements=(*c.placements, place))
            for c in self.op.lower(replace(workload, op=self.op), device)
            if all(isinstance(call, KernelCall) for call in c.calls)
        ]

    def multiply_adds(self, workload: Workload) -> int:
        count: int = self.op.multiply_adds(replace(workload, op=self.op))
        return count
