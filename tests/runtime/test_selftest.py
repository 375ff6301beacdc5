"""The self-test passes on the device under test, and fails where a driver computes wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from harness import device

from clnet.errors import DeviceError
from clnet.runtime import child, selftest
from clnet.runtime.memory import MemoryPolicy


def status_of(name: str) -> str:
    return {check.name: check.status for check in selftest.selftest(device())}[name]


def test_a_good_device_passes() -> None:
    checks = list(selftest.selftest(device()))
    assert [c.name for c in checks] == ["kernels", "mapping", "fp16", "images", "CLBlast"]
    assert all(c.status == "ok" for c in checks[:3]), checks
    assert all(c.status != "failed" and c.detail for c in checks), checks


@pytest.mark.parametrize(
    ("name", "source", "right", "wrong"),
    [
        ("kernels", "_KERNELS", "get_local_size(0)", "get_local_size(0) + 1"),
        ("fp16", "_FP16", "v * v + 1", "v * v + 2"),
        ("fp16", "_FP16", "vload_half(i, x)", "nonsense"),
        ("kernels", "_KERNELS", "__kernel", "not OpenCL C"),
    ],
)
def test_wrong_results_and_broken_compilers_are_failures(
    monkeypatch: pytest.MonkeyPatch, name: str, source: str, right: str, wrong: str
) -> None:
    text = getattr(selftest, source)
    assert right in text
    monkeypatch.setattr(selftest, source, text.replace(right, wrong))
    assert status_of(name) == "failed"


def test_images_that_read_wrong_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    if not device().info.images:
        pytest.skip("no images here")
    monkeypatch.setattr(selftest, "_IMAGES", selftest._IMAGES.replace("i % 5", "i % 4"))
    assert status_of("images") == "warning"


def test_a_mapping_that_copies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    copying = SimpleNamespace(
        info=SimpleNamespace(unified_memory=True),
        context=device().context,
        memory_policy=MemoryPolicy.COPY,
        new_queue=device().new_queue,
        cl_device=device().cl_device,
    )
    check = selftest._mapping(copying)  # type: ignore[arg-type]
    assert check.status == "warning" and "copied" in check.detail


def test_an_error_of_clnet_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> selftest.Check:
        raise DeviceError("no memory\nat all")

    monkeypatch.setattr(selftest, "_mapping", broken)
    check = list(selftest.selftest(device()))[1]
    assert (check.status, check.detail) == ("failed", "no memory at all")


def test_the_survey_lists_every_device() -> None:
    command = child.python_command("-m", "clnet.runtime.selftest")
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert device().index in [d["index"] for d in answer["devices"]]
    assert all(d["platform"] in [p["name"] for p in answer["platforms"]] for d in answer["devices"])


def run_python(code: str, prefix: Callable[[list[str]], list[str]] = lambda c: c) -> str:
    command = prefix([sys.executable, "-c", code])
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


PRINT_COMMAND = "from clnet.runtime.child import python_command; print(python_command('-V'))"


def test_a_child_is_started_as_its_parent_was() -> None:
    assert run_python(PRINT_COMMAND) == str([sys.executable, "-V"])


def test_a_child_keeps_the_loader_of_its_parent() -> None:
    binary = open("/proc/self/exe", "rb").read(4096)  # noqa: SIM115
    start = binary.find(b"/lib")
    loader = binary[start : binary.find(b"\0", start)].decode() if start > 0 else ""
    if "ld-linux" not in loader:
        pytest.skip("the dynamic loader is not where Linux usually has it")
    started = run_python(PRINT_COMMAND, lambda c: [loader, "--inhibit-cache", *c])
    assert started == str([loader, "--inhibit-cache", sys.executable, "-V"])
