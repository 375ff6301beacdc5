"""What a measurer makes of answers: no child process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clnet.tuning.measure import Measurer
from clnet.tuning.messages import Open, Try
from clnet.tuning.space import Point


class Answers(Measurer):
    """A measurer whose children compute ever more slowly, one by one."""

    children = 0

    def _start(self) -> None:
        self.children += 1
        self._child = SimpleNamespace(kill=lambda: None, communicate=lambda: None)  # type: ignore[assignment]

    def _exchange(self, request: Any) -> float:
        if isinstance(request, Try):
            self.hopeless = request.hopeless
        return self.children * (1.0 if isinstance(request, Open) else 0.5)


def test_times_of_a_new_child_are_on_the_scale_of_the_first() -> None:
    measurer = Answers(0)
    assert measurer.open(None, Point("default")) == 1.0  # type: ignore[arg-type]
    assert measurer.measure(Point("a")) == 0.5
    measurer.close()
    assert measurer.measure(Point("b"), 0.75) == 0.5
    assert measurer.measure(Point("c"), 0.75) == 0.5
    assert measurer.hopeless == pytest.approx(1.5)  # as long there as 0.75 was
