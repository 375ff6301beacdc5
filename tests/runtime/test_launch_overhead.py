"""Running a plan costs little beyond its kernels."""

from __future__ import annotations

import pytest
from harness import device

from benchmarks.launch_overhead import empty_plan, smallest, whole_run


@pytest.mark.skipif(
    "portable" not in device().info.platform.lower(), reason="the figure is one for PoCL"
)
def test_a_launch_costs_at_most_six_microseconds() -> None:
    """With the time of the (almost empty) kernels themselves."""
    executable = empty_plan(device())
    seconds = smallest(lambda: whole_run(executable), 100)
    executable.release()
    assert seconds / 200 < 6e-6
