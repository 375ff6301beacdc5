"""Problems for the contract tests of Conv: every algorithm meets tails, groups and pads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clnet.ops.base import Arg, Case
from clnet.ops.expression import Expression

RELU = Expression.of("Relu")
RESIDUAL = Expression.of("Add").then(Expression.of("Relu"), 0)
PER_CHANNEL = Expression.of("Mul")


def conv_cases(conv: Any) -> Iterable[Case]:
    """Cases for the class ``conv``."""
    yield from _pointwise(conv)
    yield from _spatial(conv)
    yield from _plain(conv)
    yield from _grouped(conv)
    yield from _training(conv)


def _case(
    conv: Any,
    x: tuple[int, ...],
    m: int,
    kernel: tuple[int, ...],
    *,
    strides: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    dilations: tuple[int, ...] | None = None,
    groups: int = 1,
    epilogue: Expression = Expression(),  # noqa: B008  (frozen)
    extras: tuple[tuple[int, ...], ...] = (),
    constant: bool = True,
    bias: bool = True,
    differentiable: bool = False,
) -> Case:
    rank = len(kernel)
    op = conv(strides or (1,) * rank, pads or (0,) * 2 * rank, dilations or (1,) * rank,
              groups, epilogue)  # fmt: skip
    w = Arg((m, x[1] // groups, *kernel), constant=constant)
    b = Arg((m,), constant=constant) if bias else None
    inputs = (Arg(x), w, b, *(Arg(e) for e in extras))
    return Case(op, inputs, differentiable=differentiable)


def _pointwise(conv: Any) -> Iterable[Case]:
    yield _case(conv, (1, 24, 7, 7), 40, (1, 1), epilogue=RELU)
    yield _case(conv, (2, 5, 9, 11), 19, (1, 1), epilogue=RESIDUAL, extras=((2, 19, 9, 11),))
    yield _case(conv, (1, 16, 3, 2), 33, (1, 1), bias=False)
    yield _case(conv, (1, 18, 8, 8), 20, (1, 1), groups=2)
    yield _case(conv, (1, 9, 12, 13), 17, (1, 1), strides=(2, 2))


def _spatial(conv: Any) -> Iterable[Case]:
    yield _case(conv, (1, 3, 19, 23), 17, (3, 3), strides=(2, 2), pads=(1, 1, 1, 1),
                epilogue=RELU)  # fmt: skip
    yield _case(conv, (2, 4, 10, 33), 34, (3, 3), pads=(1, 1, 1, 1),
                epilogue=PER_CHANNEL, extras=((34, 1, 1),))  # fmt: skip
    yield _case(conv, (1, 2, 15, 9), 5, (3, 2), strides=(1, 3), pads=(0, 2, 1, 0),
                dilations=(2, 3), bias=False)  # fmt: skip
    yield _case(conv, (2, 3, 37), 8, (4,), strides=(5,), pads=(3, 2))
    yield _case(conv, (1, 2, 5, 6, 7), 3, (3, 2, 3), strides=(2, 1, 1), pads=(1, 0, 1, 1, 1, 0),
                dilations=(1, 2, 1))  # fmt: skip
    yield _case(conv, (0, 3, 8, 8), 4, (3, 3))


def _plain(conv: Any) -> Iterable[Case]:
    """3x3 without strides: tiles at edges, rows ending within vectors, several blocks of tiles."""
    yield _case(conv, (1, 1, 4, 4), 1, (3, 3))
    yield _case(conv, (2, 3, 9, 11), 5, (3, 3), pads=(1, 1, 1, 1), bias=False)
    yield _case(conv, (2, 17, 13, 37), 33, (3, 3), pads=(2, 0, 1, 2),
                epilogue=RESIDUAL, extras=((2, 33, 14, 37),))  # fmt: skip
    yield _case(conv, (1, 70, 3, 70), 70, (3, 3), pads=(1, 1, 1, 1), epilogue=RELU)
    yield _case(conv, (3, 24, 30, 21), 20, (3, 3), pads=(0, 1, 2, 0),
                epilogue=PER_CHANNEL, extras=((20, 1, 1),))  # fmt: skip
    yield _case(conv, (1, 4, 5, 83), 9, (3, 3), pads=(6, 9, 7, 5))


def _grouped(conv: Any) -> Iterable[Case]:
    yield _case(conv, (2, 6, 9, 35), 6, (3, 3), groups=6, pads=(1, 1, 1, 1), epilogue=RELU)
    yield _case(conv, (1, 5, 14, 14), 5, (3, 3), groups=5, strides=(2, 2), pads=(1, 1, 1, 1),
                epilogue=RESIDUAL, extras=((1, 5, 7, 7),))  # fmt: skip
    yield _case(conv, (1, 3, 12, 20), 6, (5, 5), groups=3, pads=(4, 3, 4, 5), dilations=(2, 2))
    yield _case(conv, (1, 8, 7, 18), 12, (3, 3), groups=4, pads=(1, 1, 1, 1), bias=False)


def _training(conv: Any) -> Iterable[Case]:
    for changes in (
        {}, {"strides": (2, 1), "pads": (1, 0, 2, 1)}, {"groups": 2, "dilations": (2, 1)},
    ):  # fmt: skip
        yield _case(conv, (2, 4, 7, 6), 6, (3, 2), constant=False, differentiable=True, **changes)
    yield _case(conv, (2, 20, 5, 5), 18, (1, 1), constant=False, differentiable=True)
