"""What a board file states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clnet.device_info import DeviceInfo

Scalar = bool | int | float | str

LOCAL_MEMORIES = ("global", "local")
MEMORY_POLICIES = ("standing_map", "alloc_host_ptr", "use_host_ptr", "copy")

#: The facts that a board file may state, and the type of each.
FACTS: Mapping[str, type] = {
    "cpu": str,
    "architecture": str,
    "compute_units": int,
    "clock_mhz": int,
    "fp16": bool,
    "fp64": bool,
    "memory_policy": str,  # one of MEMORY_POLICIES
    "local_memory": str,  # one of LOCAL_MEMORIES: ordinary cached memory, or memory of its own
    "local_memory_bytes": int,
    "cache_bytes": int,
    "cache_line_bytes": int,
    "max_work_group_size": int,
    "work_group_multiple": int,
    "vector_width": int,  # floats of an explicit vector that are best computed at once
    "fp32_gflops": float,
    "fp16_gflops": float,
    "bandwidth_gbs": float,
}
#: What such a fact may say.
CHOICES = {"memory_policy": MEMORY_POLICIES, "local_memory": LOCAL_MEMORIES}


@dataclass(frozen=True)
class Fact:
    """A property of the board's device, as one source has it; ``driver`` where others differ."""

    name: str
    value: Scalar
    source: str
    driver: str = ""


@dataclass(frozen=True)
class Figures:
    """Published latencies of one runtime at batch 1, in milliseconds per model."""

    runtime: str
    on: str
    milliseconds: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class Driver:
    """One way to a working OpenCL: shell commands, one per line."""

    name: str
    commands: tuple[str, ...]
    source: str
    remark: str = ""


@dataclass(frozen=True)
class Pitfall:
    """Something that went wrong for others."""

    text: str
    source: str


@dataclass(frozen=True)
class Board:
    """A board file. ``devices`` are parts of OpenCL names and platforms, ``machines`` of what the
    kernel calls the machine; a board without machines is recognised by its device alone. Every
    ``source`` is a key of ``sources``."""

    name: str
    description: str
    device: str
    measured: bool
    measurements: str  #: what clnet's project measured here, or that it did not
    devices: tuple[str, ...]
    machines: tuple[str, ...]
    facts: tuple[Fact, ...]
    figures: tuple[Figures, ...]
    drivers: tuple[Driver, ...]
    pitfalls: tuple[Pitfall, ...]
    sources: Mapping[str, str]

    def fact(self, name: str) -> Scalar | None:
        """The first value of a fact; None where nothing is known."""
        return next((fact.value for fact in self.facts if fact.name == name), None)

    def has_device(self, device: DeviceInfo) -> bool:
        """Whether an OpenCL device is called as this board's are."""
        return _any_in(self.devices, f"{device.name}\n{device.platform}")

    def is_machine(self, machine: str) -> bool:
        """Whether the kernel's words for a machine name this board."""
        return _any_in(self.machines, machine)


def _any_in(words: tuple[str, ...], text: str) -> bool:
    return any(word.lower() in text.lower() for word in words)
