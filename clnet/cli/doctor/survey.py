"""What OpenCL shows, asked for in a child process: a bad driver may crash or hang whoever asks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from clnet.cli.doctor.finding import Finding
from clnet.cli.doctor.machine import Machine
from clnet.runtime.child import python_command

_SECONDS = 180  # for one device; usually 1 to 5, more where CLBlast is compiled for the first time


@dataclass(frozen=True)
class Platform:
    """A platform's name and version."""

    name: str
    version: str


@dataclass(frozen=True)
class Device:
    """What is needed to name a device."""

    index: int
    address: str
    name: str
    platform: str
    driver: str
    kind: str

    @property
    def is_gpu(self) -> bool:
        """A real one, not a GPU in software."""
        return self.kind == "gpu"


@dataclass(frozen=True)
class Survey:
    """Loader, platforms and devices; or why there are none."""

    loader: str = ""
    platforms: tuple[Platform, ...] = ()
    devices: tuple[Device, ...] = ()
    error: str = ""


def survey() -> Survey:
    """Ask OpenCL what there is."""
    lines, error = _child()
    if not lines:
        return Survey(error=error or "no answer")
    data = json.loads(lines[-1])
    return Survey(
        data["loader"],
        tuple(Platform(**p) for p in data["platforms"]),
        tuple(Device(**d) for d in data["devices"]),
    )


def selftest(device: Device, machine: Machine) -> list[Finding]:
    """Run a device's self-test; what it found until it ended, however it did."""
    lines, error = _child(str(device.index))
    checks = [json.loads(line) for line in lines]
    findings = [Finding(c["status"], c["name"], c["detail"]) for c in checks]
    if error:
        after = f"after {checks[-1]['name']}" if checks else "at once"
        findings.append(Finding("failed", "self-test", f"{error} {after}"))
    if any("too old for this processor" in f.detail for f in findings):
        findings.append(Finding("note", "instead", "another OpenCL for this CPU", newer(machine)))
    return findings


def newer(machine: Machine) -> str:
    """The command that brings an OpenCL which knows a young processor."""
    if machine.architecture == "x86_64":
        return machine.pip("intel-opencl-rt", "intel-cmplr-lib-rt")
    return machine.apt("pocl-opencl-icd") + "   # of a newer distribution"


def is_usable(findings: Sequence[Finding]) -> bool:
    """Whether models can run there: kernels and buffers work."""
    return all(
        any(f.what == what and f.status != "failed" for f in findings)
        for what in ("kernels", "mapping")
    )


def _child(*arguments: str) -> tuple[list[str], str]:
    """The lines of JSON that the self-test printed, and why it ended early, if it did."""
    command = python_command("-m", "clnet.runtime.selftest", *arguments)
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout or b""
        text = output.decode(errors="replace") if isinstance(output, bytes) else output
        return _json_lines(text), f"a driver hangs (stopped after {_SECONDS} s)"
    if child.returncode < 0:
        return _json_lines(child.stdout), f"a driver crashes (signal {-child.returncode})"
    reason = child.stderr.strip().rpartition("\n")[2] if child.returncode else ""
    reason = reason.removeprefix("clnet.errors.DeviceError: ").partition("; `clnet doctor`")[0]
    return _json_lines(child.stdout), reason


def _json_lines(text: str) -> list[str]:
    """Whole lines of JSON; drivers print to stdout as well."""
    return [line for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
