"""Bound launches: what the driver refuses is one clear error."""

from __future__ import annotations

import pytest
from harness import device

from benchmarks.launch_overhead import empty_plan
from clnet.errors import DeviceError


def test_a_refused_launch_is_one_clear_error() -> None:
    executable = empty_plan(device())
    too_large = device().info.max_work_group_size * 2
    function, (queue, kernel, *_) = executable._steps[0]
    executable._steps[0] = (function, (queue, kernel, (too_large,), (too_large,)))
    with pytest.raises(DeviceError, match=r"launch failed: .*WORK_(GROUP|ITEM)_SIZE") as e:
        executable.run()
    assert "\n" not in str(e.value)
    executable.release()
