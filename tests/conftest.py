"""Every test run says which OpenCL device it ran on, and refuses another than was meant."""

from __future__ import annotations

import os

import pytest

from clnet.errors import DeviceError
from clnet.runtime.devices import find_device


def _device() -> str:
    try:
        device = find_device()
    except DeviceError as error:
        return str(error)
    info = device.info
    return f"{info.name}, {info.platform}, {info.driver}, {device.memory_policy.value}"


def pytest_sessionstart() -> None:
    """End the run where the device is not the one that CLNET_TEST_DRIVER names a part of."""
    expected = os.environ.get("CLNET_TEST_DRIVER")
    if expected and expected not in _device():
        pytest.exit(f"the device is not {expected}: {_device()}", returncode=3)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the device."""
    terminalreporter.write_line(f"device: {_device()}")
