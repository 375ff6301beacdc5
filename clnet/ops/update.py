"""Update: a state's next value, computed elementwise and stored in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clnet.calls import Candidate, In, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Op, register
from clnet.ops.elementwise import Elementwise
from clnet.ops.expression import Expression, Step
from clnet.tensor_spec import TensorSpec

#: state + increment
ADD = Expression.of("Add")
#: weight - rate * gradient, from (weight, gradient, rate): gradient descent
SGD = Expression(3, (Step("Mul", (2, 1)), Step("Sub", (0, 3))))


@register
@dataclass(frozen=True)
class Update(Op):
    """state <- expression(state, *others), in the state's own memory.

    Every optimizer step is made of these. Input 0 is a ``state`` value, the others are broadcast
    to its shape; all have its dtype. The node must stand behind all that read the old value.
    """

    expression: Expression
    foldable = False
    updates_state = True

    @property
    def label(self) -> str:
        return f"Update {self.expression.label}"

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (result,) = Elementwise(self.expression).infer(*inputs)
        if result != inputs[0]:
            raise ShapeError(f"the new value is {result}, the state is {inputs[0]}")
        return (result,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return Elementwise(self.expression).reference(*inputs)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        # Each work-item reads its elements before it writes them, and no others of the state.
        return [
            replace(c, name="in place", placements=(Placement(Out(), In(0)),))
            for c in Elementwise(self.expression).lower(workload, device)
        ]
