"""Which device a selector means."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

import clnet
from clnet.device_info import DeviceInfo
from clnet.errors import DeviceError
from clnet.runtime import devices as module
from clnet.runtime.devices import Device, find_device
from clnet.runtime.memory import MemoryPolicy
from clnet.runtime.opencl import cl


def fake(index: int, address: str, **info: object) -> Device:
    device = Device(index, address, SimpleNamespace())
    device.__dict__["info"] = DeviceInfo(**info)  # type: ignore[arg-type]
    device.__dict__["memory_policy"] = MemoryPolicy.COPY
    return device


MACHINE = (
    fake(0, "0:0", name="Some CPU 9000", platform="Intel(R) OpenCL", kind="cpu"),
    fake(1, "2:0", name="llvmpipe (LLVM 15)", platform="rusticl", kind="gpu"),
    fake(2, "2:1", name="Mali-G610", platform="rusticl", kind="gpu"),
    fake(3, "3:0", name="cpu-cortex", platform="Portable Computing Language", kind="cpu"),
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(module, "devices", lambda: MACHINE)
    monkeypatch.delenv("CLNET_DEVICE", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("selector", "index"),
    [(0, 0), ("3", 3), ("2:1", 2), ("0:0", 0), ("g610", 2), ("portable", 3), ("RUSTICL", 1)],
)
def test_selectors(machine: pytest.MonkeyPatch, selector: str | int, index: int) -> None:
    assert find_device(selector).index == index
    machine.setenv("CLNET_DEVICE", str(selector))
    assert find_device().index == index


@pytest.mark.parametrize("selector", [4, "9", "1:0", "2:7", "adreno", "-1"])
def test_what_is_not_there(machine: pytest.MonkeyPatch, selector: str | int) -> None:
    with pytest.raises(DeviceError, match=f"'{selector}'.*2: Mali-G610"):
        find_device(selector)


def test_a_device_that_does_not_work_is_passed_over_and_named(
    machine: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> MemoryPolicy:
        raise cl.RuntimeError("clBuildProgram failed:\n\nerror: unknown target CPU 'generic'\n")

    old = fake(0, "0:0", name="cpu", platform="Portable Computing Language", kind="cpu")
    del old.__dict__["memory_policy"]
    old.__dict__["context"] = None
    machine.setattr(old, "new_queue", lambda: None)
    machine.setattr(module, "probe_policy", broken)
    machine.setattr(module, "devices", lambda: (old, MACHINE[0]))
    with pytest.warns(UserWarning, match="cpu.*too old.*Some CPU 9000.*is used instead"):
        assert find_device() is MACHINE[0]
    machine.setattr(module, "devices", lambda: (old,))
    with pytest.raises(DeviceError, match="does not work: it is too old for this processor"):
        find_device()


def test_the_best_is_a_gpu_then_pocl(machine: pytest.MonkeyPatch) -> None:
    assert find_device().index == 2
    machine.setattr(module, "devices", lambda: (*MACHINE[:2], MACHINE[3]))
    assert find_device().index == 3
    machine.setattr(module, "devices", lambda: MACHINE[:2])
    assert find_device().index == 0
    machine.setattr(module, "devices", lambda: ())
    with pytest.raises(DeviceError, match="clnet doctor"):
        find_device()


def test_devices_are_public() -> None:
    known = clnet.devices()
    assert [d.index for d in known] == list(range(len(known)))
    assert find_device(known[0]) is known[0]


def test_importing_clnet_does_not_load_opencl() -> None:
    code = "import clnet, sys; sys.exit('pyopencl' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {"load", "Session", "devices"} <= set(dir(clnet))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        clnet.lod  # noqa: B018
