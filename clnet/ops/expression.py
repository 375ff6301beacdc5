"""A small straight-line program over elementwise functions: what one fused kernel computes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clnet.errors import ShapeError
from clnet.ops.functions import FUNCTIONS, Function
from clnet.ops.lowering import INTEGER_TYPES


@dataclass(frozen=True)
class Step:
    """``function`` of earlier values: numbers below the arity are inputs, above it steps."""

    function: str
    args: tuple[int, ...]
    params: tuple[tuple[str, float | int], ...] = ()

    @property
    def row(self) -> Function:
        """The table's row."""
        return FUNCTIONS[self.function]


@dataclass(frozen=True)
class Expression:
    """``arity`` inputs and the steps over them; the last step is the result."""

    arity: int = 1
    steps: tuple[Step, ...] = ()

    @classmethod
    def of(cls, function: str, **params: float | int) -> Expression:
        """A single function of the table, its missing parameters at their defaults."""
        row = FUNCTIONS[function]
        filled = tuple((k, params.get(k, default)) for k, default in row.params.items())
        return cls(row.arity, (Step(function, tuple(range(row.arity)), filled),))

    def dtypes(self, inputs: Sequence[str]) -> list[str]:
        """The dtype of every value: the inputs, then each step."""
        known = list(inputs)
        for step in self.steps:
            args = [known[a] for a in step.args]
            if step.function == "Where":
                args = args[1:]
            if len(set(args)) > 1:
                raise ShapeError(f"{step.function} of different dtypes {', '.join(args)}")
            known.append("bool" if step.row.result == "bool" else args[0])
        return known

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        """The value in NumPy. Broadcasts."""
        return self.evaluate_all(*arrays)[-1]

    def evaluate_all(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Every value in NumPy: the inputs, then each step."""
        dtypes = self.dtypes([a.dtype.name for a in arrays])
        known = list(arrays)
        with np.errstate(all="ignore"):
            for step, dtype in zip(self.steps, dtypes[self.arity :], strict=True):
                value = step.row.numpy(*(known[a] for a in step.args), **dict(step.params))
                known.append(np.asarray(value).astype(dtype, copy=False))
        return known

    def then(self, after: Expression, position: int) -> Expression:
        """``after`` with this expression's value as its input ``position``.

        The joint inputs are this one's, then ``after``'s others in order.
        """
        others = after.arity - 1
        arity = self.arity + others

        def shift(arg: int) -> int:  # a value of self, renumbered
            return arg if arg < self.arity else arg + others

        def move(arg: int) -> int:  # a value of after, renumbered
            if arg == position:
                return shift(self.arity + len(self.steps) - 1)
            if arg < after.arity:
                return self.arity + (arg if arg < position else arg - 1)
            return arg + len(self.steps) + self.arity - 1

        mine = tuple(Step(s.function, tuple(map(shift, s.args)), s.params) for s in self.steps)
        theirs = tuple(Step(s.function, tuple(map(move, s.args)), s.params) for s in after.steps)
        return Expression(arity, mine + theirs)

    @property
    def is_vector(self) -> bool:
        """Whether every step also holds for vectors."""
        return all(s.row.vector for s in self.steps)

    def statements(self, types: Sequence[str], prefix: str = "v") -> list[str]:
        """OpenCL C statements that compute ``v<arity>``… from ``v0``…; ``types`` per value."""
        lines = []
        for number, step in enumerate(self.steps, self.arity):
            compute = types[step.args[-1]]
            integer = step.row.integer if compute in INTEGER_TYPES else ""
            text = (integer or step.row.code).format(
                *(f"{prefix}{a}" for a in step.args),
                T=compute,
                **{k: literal(v, compute) for k, v in step.params},
            )
            lines.append(f"const {types[number]} {prefix}{number} = {text};")
        return lines

    @property
    def result(self) -> int:
        """The number of the resulting value."""
        return self.arity + len(self.steps) - 1

    @property
    def label(self) -> str:
        """Function names for tables."""
        return "+".join(s.function for s in self.steps)


def literal(value: float | int, compute: str = "float") -> str:
    """A number as OpenCL C text beside values of type ``compute``: saturated for integers."""
    if compute in INTEGER_TYPES:
        limits = np.iinfo(INTEGER_TYPES[compute])
        value = int(min(max(value, limits.min), limits.max))
    if isinstance(value, bool | int | np.integer):
        value = int(value)
        if value == -(1 << 63):  # its magnitude alone is no long
            return f"(-{-(value + 1)}L - 1)"
        return f"{value}" + ("UL" if value >> 63 > 0 else "" if -(2**31) <= value < 2**31 else "L")
    number = float(value)
    if math.isnan(number):
        return "NAN"
    if math.isinf(number):
        return "INFINITY" if number > 0 else "(-INFINITY)"
    return f"({float(np.float32(number))!r}f)"
