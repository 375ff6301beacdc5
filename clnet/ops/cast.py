"""Cast: the same values in another dtype."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Placement, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.lowering import STORAGE_TYPES, grid
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class Cast(Op):
    """Convert to ``dtype``. Floats become integers by truncation, anything becomes bool by != 0."""

    dtype: str

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        assert x is not None
        return (x.with_dtype(self.dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        with np.errstate(all="ignore"):
            return (x.astype(self.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        source, target = workload.input(0).dtype, self.dtype
        defines = (
            ("SOURCE", STORAGE_TYPES[source]),
            ("TARGET", STORAGE_TYPES[target]),
            ("SIZE", workload.output.size),
            ("FROM_HALF", int(source == "float16")),
            ("TO_HALF", int(target == "float16")),
            ("TO_BOOL", int(target == "bool")),
            ("FP64", int("float64" in (source, target))),
        )
        args = (In(), Out())
        call = KernelCall("cast", "cast", args, grid(workload.output.size), None, defines)
        same = source == target
        return [
            Candidate("cast", (call,), placements=(Placement(Out(), In(), 0, 0),) if same else ())
        ]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (x,) = node.inputs
        assert x is not None
        between_floats = x.spec.is_float and node.output.spec.is_float
        return (build.add(Cast(x.spec.dtype), grads[0]) if between_floats else None,)

    def in_half(self) -> Op:
        return Cast("float16") if self.dtype == "float32" else self

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for source, target in (
            ("float32", "int32"), ("int64", "float32"), ("float32", "bool"),
            ("bool", "float32"), ("int32", "int64"), ("float32", "float16"),
            ("float16", "float32"), ("float32", "float32"),
        ):  # fmt: skip
            yield Case(cls(target), (Arg((3, 41), source, -9, 9),))
