"""Recurrent layers written out step by step, in ops that have gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from clnet.graph import GraphBuilder, Value
from clnet.ops.concat import Concat
from clnet.ops.elementwise import calculate
from clnet.ops.gemm import Gemm
from clnet.ops.reshape import Reshape
from clnet.ops.split import Split


def expanded(build: GraphBuilder, op: Any, *inputs: Value | None) -> tuple[Value, ...]:
    """What the Recurrent ``op`` computes of its inputs, as several nodes for each step."""
    gates, weights, state, memory, peepholes, bias, lengths = inputs
    assert gates is not None and weights is not None
    steps, batch, directions, _, units = gates.spec.shape
    dtype = gates.spec.dtype
    zero = build.constant(np.zeros((), dtype))

    def by_direction(value: Value | None, *shape: int) -> list[Value]:
        if value is None:
            return [build.constant(np.zeros(shape, dtype))] * directions
        return unstacked(build, value, 0)

    by_step = [unstacked(build, step, 1) for step in unstacked(build, gates, 0)]
    active = [
        None if lengths is None else build.add(Reshape((batch, 1)), calculate(
            build, "Less", build.constant(np.int32(t)), lengths))
        for t in range(steps)
    ]  # fmt: skip
    given = zip(
        unstacked(build, weights, 0), by_direction(peepholes, 3, units),
        by_direction(bias, units), by_direction(state, batch, units),
        by_direction(memory, batch, units), strict=True,
    )  # fmt: skip
    y: list[list[Value]] = [[] for _ in range(steps)]
    last: list[list[Value]] = []
    for d, (own, extra, inner, *kept) in enumerate(given):
        cell = Cell(build, op, unstacked(build, own, 1), unstacked(build, extra, 0), inner)
        for t in reversed(range(steps)) if op.reverse[d] else range(steps):
            new = cell.step(unstacked(build, by_step[t][d], 1), *kept)
            result = new[0]
            mask = active[t]
            if mask is not None:
                result = calculate(build, "Where", mask, result, zero)
                new = [calculate(build, "Where", mask, *p) for p in zip(new, kept, strict=True)]
            kept = new
            y[t].append(build.add(Reshape((1, 1, batch, units)), result))
        last.append([build.add(Reshape((1, batch, units)), v) for v in kept])
    rows = [build.add(Concat(1), *row) for row in y]
    ends = [build.add(Concat(0), *values) for values in zip(*last, strict=True)]
    return (build.add(Concat(0), *rows), *ends[: 2 if op.cell == "LSTM" else 1])


class Cell:
    """One direction's weights: of each gate [H, H], peepholes [H], the bias in a GRU's reset."""

    def __init__(
        self, build: GraphBuilder, op: Any, weights: list[Value], peepholes: list[Value],
        bias: Value,
    ) -> None:  # fmt: skip
        self.build, self.op, self.weights = build, op, weights
        self.peepholes, self.bias = peepholes, bias
        self.apply = partial(calculate, build)

    def step(self, x: list[Value], h: Value, c: Value) -> list[Value]:
        """The state and memory behind a step that its input gives ``x`` [B, H] for each gate."""
        apply = self.apply
        if self.op.cell == "RNN":
            return [self._activated(0, apply("Add", x[0], self._product(h, 0))), c]
        if self.op.cell == "GRU":
            return [self._gru(x, h), c]
        i, o, f, g = (apply("Add", x[n], self._product(h, n)) for n in range(4))
        i = self._activated(0, self._peep(i, 0, c))
        f = self._rest(i) if self.op.coupled else self._activated(0, self._peep(f, 2, c))
        taken = apply("Mul", i, self._activated(1, g))
        new = apply("Add", apply("Mul", f, c), taken)
        out = self._activated(0, self._peep(o, 1, new))
        return [apply("Mul", out, self._activated(2, new)), new]

    def _gru(self, x: list[Value], h: Value) -> Value:
        apply = self.apply
        z, r = (self._activated(0, apply("Add", x[n], self._product(h, n))) for n in range(2))
        if self.op.reset_after:
            inner = apply("Mul", r, apply("Add", self._product(h, 2), self.bias))
        else:
            inner = self._product(apply("Mul", r, h), 2)
        new = apply("Mul", self._rest(z), self._activated(1, apply("Add", x[2], inner)))
        result: Value = apply("Add", new, apply("Mul", z, h))
        return result

    def _product(self, h: Value, gate: int) -> Value:
        result: Value = self.build.add(Gemm(), h, self.weights[gate], None)
        return result

    def _peep(self, gate: Value, number: int, c: Value) -> Value:
        seen = self.apply("Mul", self.peepholes[number], c)
        result: Value = self.apply("Add", gate, seen)
        return result

    def _rest(self, share: Value) -> Any:
        return self.apply("Shift", self.apply("Neg", share), offset=1.0)

    def _activated(self, which: int, value: Value) -> Value:
        if self.op.clip is not None and which < 2:
            value = self.apply("Clip", value, min=-self.op.clip, max=self.op.clip)
        known = [value]
        for step in self.op.activations[which].steps:
            arguments = (known[a] for a in step.args)
            known.append(self.apply(step.function, *arguments, **dict(step.params)))
        return known[-1]


def unstacked(build: GraphBuilder, value: Value, axis: int) -> list[Value]:
    """The slices of a value along an axis, without it."""
    shape = value.spec.shape
    flat = Reshape((*shape[:axis], *shape[axis + 1 :]))
    if shape[axis] == 1:
        return [build.add(flat, value)]
    return [build.add(flat, part) for part in build.add(Split(axis, (1,) * shape[axis]), value)]
