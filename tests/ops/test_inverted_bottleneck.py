"""Strips of an inverted bottleneck end anywhere in the image, and see whatever padding there is."""

from __future__ import annotations

import random

import pytest
from harness import candidate_names, check

from clnet.calls import Candidate
from clnet.ops import Arg, Case
from clnet.ops.blocked import InvertedBottleneck, SeparableConv
from clnet.ops.expression import Expression
from clnet.ops.lowering import ceil_div


def _case(rng: random.Random) -> Case:
    """An expansion from e channels to c, a window of them, and a product with m channels."""
    block, e, c, m = rng.choice((4, 8)), rng.randint(1, 20), rng.randint(2, 40), rng.randint(1, 20)
    kernel, strides, dilations, size, pads = [], [], [], [], []
    for _ in "yx":
        k, s, d = rng.choice((1, 2, 3, 5)), rng.randint(1, 3), rng.randint(1, 2)
        reach = (k - 1) * d
        before, behind = rng.randint(0, reach + 1), rng.randint(0, reach + 1)
        kernel.append(k)
        strides.append(s)
        dilations.append(d)
        pads.append((before, behind))
        size.append(max(1, reach + 1 - before - behind) + rng.randint(0, 20))
    (top, bottom), (left, right) = pads
    separable = SeparableConv(
        tuple(strides), (top, left, bottom, right), tuple(dilations), c, block,
        Expression.of("HardSwish"),
    )  # fmt: skip
    op = InvertedBottleneck(Expression.of("Relu"), separable)
    shapes = ((c, e, 1, 1), (c,), (c, 1, *kernel), (c,), (m, c, 1, 1), (m,))
    x = Arg((rng.randint(1, 2), ceil_div(e, block), *size, block))
    return Case(op, (x, *(Arg(shape, constant=True) for shape in shapes)))


@pytest.mark.parametrize("seed", range(12))
def test_any_window_in_any_strips(seed: int) -> None:
    rng = random.Random(seed)
    case = _case(rng)

    def strips(candidate: Candidate) -> Candidate:
        space = candidate.space
        assert space is not None
        return space.vary({**candidate.values, "STRIPS": rng.choice(space.options["STRIPS"])}) or (
            candidate
        )

    for precision in ("fp32", "fp16"):
        for name in candidate_names(case, precision):
            check(case, name, precision, strips)
