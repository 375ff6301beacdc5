"""Reduce: sums, means, extremes and norms over any axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Ref, Work, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError, UnsupportedError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.ops.lowering import STORAGE_TYPES, float_defines, index_text, strides_of
from clnet.ops.reduce_gradient import reduce_vjp
from clnet.ops.rows import dividing_width, fitting_width, group_size, row_launch, runs
from clnet.tensor_spec import TensorSpec


def _log_sum_exp(x: np.ndarray, **over: Any) -> np.ndarray:
    top = x.max(initial=-np.inf, **{**over, "keepdims": True})
    top = np.where(np.isfinite(top), top, 0)
    total = np.log(np.exp(x - top).sum(**over))
    return total + top.reshape(total.shape)


#: The functions by name, over float64 or the input's integers.
REFERENCES: dict[str, Callable[..., np.ndarray]] = {
    "Sum": np.sum,
    "Mean": lambda x, **over: x.astype(np.float64).mean(**over),
    "Max": lambda x, **over: x.max(initial=lowest(x.dtype), **over),
    "Min": lambda x, **over: x.min(initial=highest(x.dtype), **over),
    "Prod": np.prod,
    "L1": lambda x, **over: abs(x).sum(**over),
    "L2": lambda x, **over: np.sqrt((x * x).sum(**over)),
    "LogSum": lambda x, **over: np.log(x.sum(**over)),
    "LogSumExp": lambda x, **over: _log_sum_exp(x.astype(np.float64), **over),
    "SumSquare": lambda x, **over: (x * x).sum(**over),
}


def lowest(dtype: np.dtype) -> Any:
    """What is below every value of a dtype."""
    return -np.inf if np.issubdtype(dtype, np.floating) else dtype.type(_limits(dtype)[0])


def highest(dtype: np.dtype) -> Any:
    """What is above every value of a dtype."""
    return np.inf if np.issubdtype(dtype, np.floating) else dtype.type(_limits(dtype)[1])


def _limits(dtype: np.dtype) -> tuple[int, int]:
    if dtype == np.bool_:
        return 0, 1
    return np.iinfo(dtype).min, np.iinfo(dtype).max


@register
@dataclass(frozen=True)
class Reduce(Op):
    """``function`` (a key of REFERENCES) over ``axes``; no axes: nothing is summed up, though a
    function like L1 still applies to each element. Over no elements the result is the identity."""

    function: str
    axes: tuple[int, ...]
    keepdims: bool = True

    @property
    def label(self) -> str:
        return f"Reduce{self.function}"

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x = present(inputs[0], "x")
        if self.function not in REFERENCES:
            raise ShapeError(f"unknown reduction {self.function}")
        if len(set(self.axes)) != len(self.axes) or not all(0 <= a < x.rank for a in self.axes):
            raise ShapeError(f"axes {list(self.axes)} of {x}")
        if x.dtype == "bool" and self.function not in ("Max", "Min"):
            raise ShapeError(f"{self.label} of bool")
        if self.function in FLOAT_ONLY and not x.is_float:
            raise UnsupportedError(f"{self.label} of {x.dtype}")
        return (x.with_shape(reduced_shape(x.shape, self.axes, self.keepdims)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        wide = x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x
        with np.errstate(all="ignore"):
            y = REFERENCES[self.function](wide, axis=self.axes, keepdims=self.keepdims)
        return (np.asarray(y).astype(x.dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, y = workload.input(0), workload.output
        if self.function != "LogSumExp":
            call = reduction(CODES[self.function], x, y, self.axes, (In(), Out()), device)
            return [Candidate("reduce", (call,))]
        top = reduction(CODES["Max"], x, y, self.axes, (In(), Work()), device)
        total = reduction(CODES["LogSumExp"], x, y, self.axes, (In(), Work(), Out()), device)
        return [Candidate("reduce", (top, total), (y.nbytes,))]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        return (reduce_vjp(build, self, node, grads[0]),)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        x = Arg((2, 3, 4, 37), low=0.3)
        for function in REFERENCES:
            yield Case(cls(function, (3,)), (x,), differentiable=True)
            yield Case(cls(function, (1,), False), (x,), differentiable=True)
            if function not in FLOAT_ONLY:
                yield Case(cls(function, (0, 2)), (Arg((3, 5, 4), "int32", -4, 4),))
        yield Case(cls("Sum", (0, 2, 3)), (Arg((2, 5, 7, 9)),))
        yield Case(cls("Sum", (0, 1, 2)), (Arg((3, 4, 300)),))
        yield Case(cls("Mean", (0, 2), False), (Arg((3, 300, 2, 8)),))
        yield Case(cls("L1", (1,)), (Arg((4, 9)),))
        yield Case(cls("SumSquare", ()), (Arg((4, 9)),))
        yield Case(cls("LogSumExp", (0,)), (Arg(values=[[-200.0, 90], [-201, 91]], shape=(2, 2)),))
        for function in ("Sum", "Prod", "Max", "Min", "LogSumExp"):
            yield Case(cls(function, (1,)), (Arg((2, 0, 4)),))
        for dtype in ("uint8", "int8", "int64", "uint64", "bool"):
            yield Case(cls("Max", (1,)), (Arg((3, 5), dtype, 0, 100),))
            yield Case(cls("Min", (1,)), (Arg((3, 0), dtype),))
        zeros = Arg(values=[[[0.0, 2], [3, 4]], [[0, 5], [6, 0]], [[-1, 1], [2, 0]]])
        yield Case(cls("Prod", (0, 2)), (zeros,), differentiable=True)


@dataclass(frozen=True)
class Code:
    """A function as OpenCL C: what each element x adds to a sum s, and what s becomes."""

    initial: str = "0"
    combine: str = "((a) + (b))"
    map: str = "(x)"
    finish: str = "(s)"
    shifted: bool = False

    def defines(self, integer: bool, count: int) -> tuple[Define, ...]:
        """COMBINE, MAP and FINISH over ``count`` elements a row."""
        texts = {
            "ABS": "(value)abs" if integer else "fabs",
            "NUMBER": "(float)" if integer else "",
            "COUNT": str(max(1, count) if integer else f"(value){count}"),
        }
        finish = self.finish
        for word, text in texts.items():
            finish = finish.replace(word, text)
        return (
            ("COMBINE(a, b)", self.combine),
            ("MAP(x)", self.map.replace("ABS", texts["ABS"])),
            ("FINISH(s)", finish),
            ("SHIFTED", int(self.shifted)),
        )


CODES = {
    "Sum": Code(),
    "Mean": Code(finish="((s) / COUNT)"),
    "Max": Code("lowest", "max(a, b)"),
    "Min": Code("highest", "min(a, b)"),
    "Prod": Code("1", "((a) * (b))"),
    "L1": Code(map="ABS(x)"),
    "L2": Code(map="((x) * (x))", finish="sqrt(NUMBER(s))"),
    "LogSum": Code(finish="log(s)"),
    "LogSumExp": Code(map="exp((x) - top)", finish="(log(s) + top)", shifted=True),
    "SumSquare": Code(map="((x) * (x))"),
}
FLOAT_ONLY = ("LogSum", "LogSumExp")


def reduction(
    code: Code, x: TensorSpec, y: TensorSpec, axes: tuple[int, ...], args: tuple[Ref, ...],
    device: DeviceInfo,
) -> KernelCall:  # fmt: skip
    """The launch that folds ``axes`` of ``x`` into ``y``."""
    parts = runs(x.shape, axes)
    steps = strides_of([extent for extent, _ in parts])
    kept = [(e, s) for (e, reduced), s in zip(parts, steps, strict=True) if not reduced]
    folded = [(e, s) for (e, reduced), s in zip(parts, steps, strict=True) if reduced]
    *outer, (inner, step) = folded or [(1, 0)]
    along = bool(parts) and parts[-1][1]
    width = 1
    if x.is_float:
        last = kept[-1][0] if kept else 1
        width = fitting_width(inner, device) if along else dividing_width(last, device)
    outer_count = math.prod(e for e, _ in outer)
    rows = y.size if along else y.size // width
    group = group_size(inner, rows, device)
    if x.is_float:
        kind = float_defines(x.dtype, device)
    else:
        wide = "long" if x.dtype.startswith("int") else "ulong"
        kind = (("INTEGER", STORAGE_TYPES[x.dtype]), ("WIDE", wide))
    defines = (
        *kind,
        ("VW", width),
        ("OUTPUTS", y.size),
        ("ROW(o)", index_text(*_unzip(kept), "(o)")),
        ("OUTER(q)", index_text(*_unzip(outer), "(q)")),
        ("OUTER_COUNT", outer_count),
        ("INNER_COUNT", inner),
        ("STEP", step),
        ("ALONG", int(along)),
        ("INITIAL", initial(code.initial, x.dtype)),
        ("GROUP", group),
        *code.defines(not x.is_float, outer_count * inner),
    )
    return KernelCall("reduce", "reduce", args, *row_launch(rows, group), defines)


def _unzip(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [e for e, _ in pairs], [s for _, s in pairs]


def initial(name: str, dtype: str) -> str:
    """A number, or ``lowest`` or ``highest`` of a dtype, as OpenCL C."""
    if name not in ("lowest", "highest"):
        return name
    value = (lowest if name == "lowest" else highest)(np.dtype(dtype))
    if dtype.startswith("float"):
        return "INFINITY" if name == "highest" else "(-INFINITY)"
    if dtype == "int64" and name == "lowest":
        return "LONG_MIN"
    return f"{int(value)}{'L' if dtype.startswith('int') else 'UL'}"


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """The shape with ``axes`` made 1 or taken away."""
    if keepdims:
        return tuple(1 if d in axes else extent for d, extent in enumerate(shape))
    return tuple(extent for d, extent in enumerate(shape) if d not in axes)
