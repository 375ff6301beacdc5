"""What every test run has in common: its device, and how it may be told to take it.

CLNET_TEST_DRIVER     part of the driver that is meant; a run on another one ends at once
CLNET_TEST_INFO       JSON that replaces fields of the device's DeviceInfo, so that ops choose what
                      they would choose elsewhere: {"kind": "gpu", "vector_width": 4}
CLNET_TEST_OCLGRIND   log that Oclgrind writes; a test that adds to it fails
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clnet.errors import DeviceError
from clnet.runtime import programs
from clnet.runtime.devices import find_device


def _device() -> str:
    try:
        device = find_device()
    except DeviceError as error:
        return str(error)
    info = device.info
    return f"{info.name}, {info.platform}, {info.driver}, {device.memory_policy.value}"


def pytest_sessionstart() -> None:
    """Check the device, and let it pass for another one."""
    expected = os.environ.get("CLNET_TEST_DRIVER")
    if expected and expected not in _device():
        pytest.exit(f"the device is not {expected}: {_device()}", returncode=3)
    if text := os.environ.get("CLNET_TEST_INFO"):
        device = find_device()
        device.info = replace(device.info, **json.loads(text))
    if os.environ.get("PYTEST_XDIST_WORKER"):  # all cores are busy: more processes only take time
        programs.PROGRAMS_PER_PROCESS = 1 << 30
    if os.environ.get("CLNET_TEST_OCLGRIND"):
        os.cpu_count = lambda: 1  # its compiler crashes where several threads build at once


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the device."""
    terminalreporter.write_line(f"device: {_device()}")


@pytest.fixture(autouse=True)
def nothing_from_oclgrind() -> Iterator[None]:
    """Fail a test during which Oclgrind found an access out of bounds or a data race."""
    name = os.environ.get("CLNET_TEST_OCLGRIND")
    log = Path(name) if name else None
    before = log.stat().st_size if log and log.exists() else 0
    yield
    if log and log.exists() and log.stat().st_size > before:
        with log.open(errors="replace") as file:
            file.seek(before)
            pytest.fail(f"Oclgrind:\n{file.read(4000)}", pytrace=False)
