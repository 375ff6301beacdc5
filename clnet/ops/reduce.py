"""Reduce: sums, means, extremes and norms over any axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import present
from clnet.tensor_spec import TensorSpec


def _log_sum_exp(x: np.ndarray, **over: object) -> np.ndarray:
    top = x.max(initial=-np.inf, **(over | {"keepdims": True}))
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


def lowest(dtype: np.dtype) -> object:
    """What is below every value of a dtype."""
    return -np.inf if np.issubdtype(dtype, np.floating) else dtype.type(_limits(dtype)[0])


def highest(dtype: np.dtype) -> object:
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
        return (x.with_shape(reduced_shape(x.shape, self.axes, self.keepdims)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        wide = x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x
        with np.errstate(all="ignore"):
            y = REFERENCES[self.function](wide, axis=self.axes, keepdims=self.keepdims)
        return (np.asarray(y).astype(x.dtype),)


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """The shape with ``axes`` made 1 or taken away."""
    if keepdims:
        return tuple(1 if d in axes else extent for d, extent in enumerate(shape))
    return tuple(extent for d, extent in enumerate(shape) if d not in axes)
