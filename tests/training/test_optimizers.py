"""Optimizers against their formulas in NumPy; clipping; schedules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluate import evaluate

from clnet import optimizers, schedules
from clnet.errors import InputError
from clnet.graph import GraphBuilder
from clnet.ops.formula import trace
from clnet.training.schedules import rate_at
from clnet.training.step import clipped

RATE, STEPS = 0.05, 12


def moved(optimizer: optimizers.Optimizer, gradients: np.ndarray) -> np.ndarray:
    """The weights after one step for each gradient, from ones."""
    kept = [np.ones(gradients.shape[1:])] + [np.zeros(gradients.shape[1:])] * len(optimizer.slots)
    count = len(kept) + 1 + len(optimizer.scalars(0.0, 0))
    expression, results = trace(
        lambda *t: optimizer.step(t[0], t[len(kept)], *t[1 : len(kept)], *t[len(kept) + 1 :]), count
    )
    for step, gradient in enumerate(gradients):
        scalars = [np.float64(s) for s in optimizer.scalars(RATE, step)]
        values = expression.evaluate_all(*kept, gradient, *scalars)
        kept = [values[r] for r in results]
    return kept[0]


def sgd(gradients: np.ndarray, momentum: float, nesterov: bool, decay: float) -> np.ndarray:
    w, m = np.ones(gradients.shape[1:]), 0.0
    for g in gradients:
        g = g + decay * w
        m = momentum * m + g
        w = w - RATE * (g + momentum * m if nesterov else m)
    return w


def rmsprop(gradients: np.ndarray, momentum: float, decay: float) -> np.ndarray:
    w, s, m = np.ones(gradients.shape[1:]), 0.0, 0.0
    for g in gradients:
        g = g + decay * w
        s = 0.9 * s + 0.1 * g**2
        m = momentum * m + g / (np.sqrt(s) + 1e-6)
        w = w - RATE * m
    return w


def adam(gradients: np.ndarray, decay: float, decoupled: bool) -> np.ndarray:
    w, m, s = np.ones(gradients.shape[1:]), 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        if decoupled:
            w = w * (1 - RATE * decay)
        else:
            g = g + decay * w
        m = 0.8 * m + 0.2 * g
        s = 0.95 * s + 0.05 * g**2
        w = w - RATE * (m / (1 - 0.8**t)) / (np.sqrt(s / (1 - 0.95**t)) + 1e-4)
    return w


GRADIENTS = np.random.default_rng(0).standard_normal((STEPS, 3, 5))


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (optimizers.SGD(), sgd(GRADIENTS, 0, False, 0)),
        (optimizers.SGD(weight_decay=0.1), sgd(GRADIENTS, 0, False, 0.1)),
        (optimizers.SGD(momentum=0.9, weight_decay=0.1), sgd(GRADIENTS, 0.9, False, 0.1)),
        (optimizers.SGD(momentum=0.9, nesterov=True), sgd(GRADIENTS, 0.9, True, 0)),
        (optimizers.RMSprop(alpha=0.9, epsilon=1e-6), rmsprop(GRADIENTS, 0, 0)),
        (
            optimizers.RMSprop(alpha=0.9, epsilon=1e-6, momentum=0.5, weight_decay=0.1),
            rmsprop(GRADIENTS, 0.5, 0.1),
        ),
        (
            optimizers.Adam(betas=(0.8, 0.95), epsilon=1e-4, weight_decay=0.1),
            adam(GRADIENTS, 0.1, False),
        ),
        (
            optimizers.AdamW(betas=(0.8, 0.95), epsilon=1e-4, weight_decay=0.1),
            adam(GRADIENTS, 0.1, True),
        ),
    ],
)
def test_steps_follow_the_formula(optimizer: optimizers.Optimizer, expected: np.ndarray) -> None:
    np.testing.assert_allclose(moved(optimizer, GRADIENTS), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.SGD(momentum=1.0), r"momentum is 1.0"),
        (lambda: optimizers.SGD(nesterov=True), "needs a momentum"),
        (lambda: optimizers.Adam(betas=(0.9, 1.5)), "betas"),
        (lambda: optimizers.RMSprop(alpha=-0.1), "alpha"),
        (lambda: optimizers.AdamW(weight_decay=-1), "weight_decay is -1"),
        (lambda: optimizers.SGD(clip_norm=0), "clip_norm is 0"),
        (lambda: optimizers.SGD(clip_value=math.nan), "clip_value is nan"),
    ],
)
def test_absurd_settings_are_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(("norm", "value"), [(1.0, None), (100.0, None), (None, 0.5), (1.0, 0.5)])
def test_gradients_are_clipped(norm: float | None, value: float | None) -> None:
    feeds = {"a": np.array([3.0, -0.25], np.float32), "b": np.array([[0.5, 4.0]], np.float32)}
    build = GraphBuilder()
    values = {build.input(n, a.shape): build.graph.inputs[-1] for n, a in feeds.items()}
    optimizer = optimizers.SGD(clip_norm=norm, clip_value=value)
    for weight, gradient in clipped(build, optimizer, values).items():
        build.output(gradient, weight.name)
    expected = {n: a if value is None else a.clip(-value, value) for n, a in feeds.items()}
    if norm is not None:
        total = math.sqrt(sum(float((a**2).sum()) for a in expected.values()))
        expected = {n: a * min(1, norm / total) for n, a in expected.items()}
    found = evaluate(build.graph, feeds)
    for name, want in expected.items():
        np.testing.assert_allclose(found[name], want, rtol=1e-6)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.5, {(0, 0): 0.5, (7, 900): 0.5}),
        (lambda epoch, step: 0.1 * 0.5**epoch, {(0, 99): 0.1, (2, 300): 0.025}),
        (schedules.Step(0.1, every=2), {(0, 0): 0.1, (1, 9): 0.1, (2, 0): 0.01, (5, 0): 0.001}),
        (schedules.Step(1.0, every=10, factor=0.5, per="step"), {(0, 9): 1.0, (0, 25): 0.25}),
        (schedules.Exponential(0.001, 0.993), {(0, 0): 0.001, (10, 5): 0.001 * 0.993**10}),
        (
            schedules.Cosine(0.2, length=10, final=0.1),
            {(0, 0): 0.2, (5, 0): 0.15, (10, 0): 0.1, (11, 0): 0.1},
        ),
        (
            schedules.WarmUp(schedules.Step(0.8, every=1, factor=0.5), length=4),
            {(0, 0): 0.2, (0, 3): 0.8, (0, 9): 0.8, (1, 20): 0.4},
        ),
    ],
)
def test_rates_follow_their_schedule(rate, expected: dict[tuple[int, int], float]) -> None:
    found = {time: rate_at(rate, *time) for time in expected}
    assert found == pytest.approx(expected)


def test_a_schedule_says_what_it_cannot_do() -> None:
    with pytest.raises(InputError, match="learning rate of epoch 3, step 40 is -1"):
        rate_at(lambda epoch, step: -1.0, 3, 40)
    with pytest.raises(InputError, match="'hour'"):
        rate_at(schedules.Exponential(0.1, 0.9, per="hour"), 0, 0)
