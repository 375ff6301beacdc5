"""Elementwise functions with NumPy broadcasting, alone or fused into one kernel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Values, Workload, tunable
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.elementwise_blas import blas_candidates
from clnet.ops.expression import Expression
from clnet.ops.functions import FUNCTIONS, Function
from clnet.ops.lowering import (
    STORAGE_TYPES,
    ceil_div,
    compute_type,
    float_defines,
    grid,
    index_text,
    merge_dimensions,
    strides_of,
)
from clnet.ops.rows import width_options
from clnet.tensor_spec import TensorSpec


def elementwise(function: str, **params: float | int) -> Elementwise:
    """The op for one function of the table."""
    return Elementwise(Expression.of(function, **params))


def calculate(
    build: GraphBuilder, function: str, *operands: Value | None, **params: float | int
) -> Any:
    """Append one function of the table, and return its value."""
    return build.add(elementwise(function, **params), *operands)


@register
@dataclass(frozen=True)
class Elementwise(Op):
    """``expression`` of the inputs, element by element."""

    expression: Expression

    @property
    def label(self) -> str:
        return self.expression.label

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        specs = [s for s in inputs if s is not None]
        dtypes = self.expression.dtypes([s.dtype for s in specs])
        return (TensorSpec(np.broadcast_shapes(*(s.shape for s in specs)), dtypes[-1]),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        arrays = [a for a in inputs if a is not None]
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        return (np.broadcast_to(self.expression.evaluate(*arrays), shape),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        own = elementwise_candidate(self.expression, (-1,), workload, device)
        return [own, *blas_candidates(self.expression, workload, device)]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        (step,) = self.expression.steps  # gradients are taken before anything is fused
        gradient = step.row.gradient
        if gradient is None:
            return super().vjp(build, node, grads)
        result = gradient(build, node.inputs, node.output, grads[0], **dict(step.params))
        return tuple(result)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        for name, row in FUNCTIONS.items():
            for dtype in row.dtypes:
                yield Case(elementwise(name), _arguments(row, dtype))
        for dtype in ("float32", "int32"):
            clip = {"min": -1.5, "max": 1.0} if dtype == "float32" else {"min": -1, "max": 2}
            yield Case(elementwise("Clip", **clip), _arguments(FUNCTIONS["Clip"], dtype))
            yield Case(elementwise("Mod", fmod=1), _arguments(FUNCTIONS["Mod"], dtype))
        for shapes in (
            [(2, 3, 5), (2, 3, 5)],
            [(4, 1, 37), (3, 1)],
            [(2, 3, 5), (5,)],
            [(7, 9), ()],
            [(1, 6, 1, 5), (2, 1, 3, 1)],
        ):
            yield Case(elementwise("Sub"), tuple(Arg(s) for s in shapes))
        yield Case(elementwise("Where"), (Arg((3, 1), "bool"), Arg((2, 1, 5)), Arg(())))


def _arguments(row: Function, dtype: str) -> tuple[Arg, ...]:
    """Values over the row's domain, then every combination of the dtype's special ones."""
    special: tuple[float | int | bool, ...] = (0.0, -0.0, math.inf, -math.inf, math.nan)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        special = tuple({int(limits.min), -1 if limits.min else 1, 0, int(limits.max)})
    if dtype == "bool":
        special = (False, True)
    combinations = np.array(list(itertools.product(special, repeat=row.arity)), dtype)
    arguments = []
    for i in range(row.arity):
        kind = "bool" if row.name == "Where" and i == 0 else dtype
        low = 0.0 if dtype.startswith("uint") else row.domain[0]
        values = Arg((86,), kind, low, row.domain[1]).make(np.random.default_rng(i))
        arguments.append(np.concatenate([values, combinations[:, i].astype(kind)]))
    return tuple(Arg(a.shape, a.dtype.name, values=a) for a in arguments)


def collapse(
    shape: Sequence[int], operands: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Merge neighbouring dimensions that all operands walk alike.

    Returns the merged output shape and, per operand, its strides over it (0: broadcast).
    """
    rank = len(shape)
    strides = []
    for operand in operands:
        padded = (1,) * (rank - len(operand)) + tuple(operand)
        own = strides_of(padded)
        strides.append([0 if padded[d] == 1 else own[d] for d in range(rank)])
    return merge_dimensions(shape, strides)


def elementwise_candidate(
    expression: Expression, results: Sequence[int], workload: Workload, device: DeviceInfo
) -> Candidate:
    """One launch that computes the values ``results`` of an expression (-1 is the last), each into
    an output of its own."""
    # Halves are computed as float: memory is what these kernels wait for, and some compilers
    # (Mesa's) abort on logarithms of halves.
    device = replace(device, fp16=False)
    specs = [s for s in workload.inputs if s is not None]
    shape, strides = collapse(workload.output.shape, [s.shape for s in specs])
    dtypes = expression.dtypes([s.dtype for s in specs])
    one_float = len(set(dtypes)) == 1 and specs[0].is_float
    in_rows = bool(shape) and all(s[-1] in (0, 1) for s in strides)
    row = shape[-1] if shape else 1
    widths: tuple[int, ...] = (1,)
    if one_float and in_rows and expression.is_vector:
        widths = width_options(row, device)

    def make(values: Values) -> Candidate:
        items = math.prod(shape) // row * ceil_div(row, values["VW"])
        args = (*(In(i) for i in range(len(specs))), *(Out(i) for i in range(len(results))))
        defines = _defines(expression, results, dtypes, shape, strides, values["VW"], device)
        call = KernelCall("elementwise", "elementwise", args, grid(items), None, defines)
        return Candidate("elementwise", (call,))

    candidate = tunable(make, {"VW": widths})
    assert candidate is not None
    return candidate


def _defines(
    expression: Expression,
    results: Sequence[int],
    dtypes: Sequence[str],
    shape: Sequence[int],
    strides: Sequence[Sequence[int]],
    width: int,
    device: DeviceInfo,
) -> tuple[Define, ...]:
    """The macros that turn elementwise.cl into this expression."""
    arity = expression.arity
    scalar = [compute_type(d, device) for d in dtypes]
    outputs = [range(len(dtypes))[r] for r in results]
    parameters = [f"__global const {STORAGE_TYPES[dtypes[i]]}* in{i}" for i in range(arity)]
    parameters += [f"__global {STORAGE_TYPES[dtypes[v]]}* out{o}" for o, v in enumerate(outputs)]
    loads = [
        f"const {scalar[i]} v{i} = {_load(dtypes[i], f'in{i}', index_text(shape, strides[i]))};"
        for i in range(arity)
    ]
    stores = [_store(dtypes[v], f"v{v}", f"out{o}") for o, v in enumerate(outputs)]
    defines: list[Define] = [("PARAMETERS", ", ".join(parameters))]
    floats = [d for d in dtypes if d.startswith("float")]
    if floats:
        defines += float_defines(_widest(floats), device)
    defines += [
        ("SIZE", math.prod(shape)),
        ("VW", width),
        ("ROW", shape[-1] if shape else 1),
        ("SCALAR_BODY", " ".join([*loads, *expression.statements(scalar), *stores])),
    ]
    if width > 1:
        loads = [
            f"const realV v{i} = {'LOADV' if strides[i][-1] else 'LOAD'}"
            f"(in{i}, {index_text(shape, strides[i])});"
            for i in range(arity)
        ]
        stores = [f"STOREV(v{v}, out{o}, i);" for o, v in enumerate(outputs)]
        body = [*loads, *expression.statements(["realV"] * len(dtypes)), *stores]
        defines += [("VECTOR_BODY", " ".join(body))]
    return tuple(defines)


def _widest(floats: Sequence[str]) -> str:
    return max(floats, key=lambda d: int(d.removeprefix("float")))


def _load(dtype: str, pointer: str, index: str) -> str:
    return f"LOAD({pointer}, {index})" if dtype == "float16" else f"{pointer}[{index}]"


def _store(dtype: str, value: str, pointer: str) -> str:
    if dtype == "float16":
        return f"STORE({value}, {pointer}, i);"
    return f"{pointer}[i] = {value};"
