"""Gradients of rows, written as further rows: one fused step where that is shorter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def chain(*terms: str) -> Callable[..., tuple[Any, ...]]:
    """A gradient from one text per argument: a row's name and what it is applied to.

    ``g`` is the output's gradient, ``y`` the output, ``0``, ``1``… the inputs; the function's own
    parameters go to rows that know them. ``"Mul g 1"`` is g times the second input, ``"g"`` alone
    is g itself, and ``""`` says that this argument has no gradient.
    """

    def gradient(
        build: Any, inputs: Any, output: Any, grad: Any, **params: float | int
    ) -> tuple[Any, ...]:
        from clnet.ops.elementwise import elementwise  # it stands above the table

        known = {"g": grad, "y": output, **{str(i): v for i, v in enumerate(inputs)}}
        results = []
        for term in terms:
            name, *operands = term.split() or [""]
            if operands:
                op = elementwise(name, **params)
                results.append(build.add(op, *(known[o] for o in operands)))
            else:
                results.append(known.get(name))
        return tuple(results)

    return gradient
