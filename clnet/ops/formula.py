"""Writes an Expression as ordinary Python arithmetic, by tracing a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clnet.ops.expression import Expression, Step


@dataclass(frozen=True)
class Term:
    """A value of an expression while it is written down."""

    number: int
    arity: int
    steps: list[Step]

    def __add__(self, other: Term | float) -> Term:
        return self.apply("Add", other) if isinstance(other, Term) else self._by("Shift", other)

    def __sub__(self, other: Term) -> Term:
        return self.apply("Sub", other)

    def __mul__(self, other: Term | float) -> Term:
        return self.apply("Mul", other) if isinstance(other, Term) else self._by("Scale", other)

    def __truediv__(self, other: Term) -> Term:
        return self.apply("Div", other)

    __radd__, __rmul__ = __add__, __mul__

    def apply(self, function: str, *others: Term, **params: float) -> Term:
        """``function`` of the table, of this value and others."""
        args = (self.number, *(o.number for o in others))
        self.steps.append(Step(function, args, tuple(params.items())))
        return Term(self.arity + len(self.steps) - 1, self.arity, self.steps)

    def _by(self, function: str, number: float) -> Term:
        parameter = {"Scale": "factor", "Shift": "offset"}[function]
        return self.apply(function, **{parameter: float(number)})


def trace(
    function: Callable[..., tuple[Term, ...]], arity: int
) -> tuple[Expression, tuple[int, ...]]:
    """The expression that ``function`` of ``arity`` terms computes, and which of its values are the
    function's results, counted from the last one (-1)."""
    steps: list[Step] = []
    results = function(*(Term(i, arity, steps) for i in range(arity)))
    expression = Expression(arity, tuple(steps))
    return expression, tuple(r.number - expression.result - 1 for r in results)
