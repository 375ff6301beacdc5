"""The machine as far as OpenCL is concerned: its GPUs' device files, their drivers, the board."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Where distributions and board vendors put drivers.
_LIBRARY_FOLDERS = ("usr/lib", "usr/lib/*-linux-gnu*", "usr/lib64", "usr/local/lib", "opt/*/lib")


@dataclass(frozen=True)
class Gpu:
    """A GPU as the kernel shows it: its device file, and the kernel driver behind."""

    node: Path
    driver: str


@dataclass(frozen=True)
class Machine:
    """Reads files below ``root``, so that tests can make any machine."""

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    architecture: str = platform.machine()
    is_root: bool = os.geteuid() == 0

    def gpus(self) -> list[Gpu]:
        """GPUs with a device file that OpenCL can use."""
        mali = self.root / "dev/mali0"
        found = [Gpu(mali, "mali")] if mali.exists() else []
        for node in sorted(self.root.glob("dev/dri/renderD*")):
            driver = self.root / "sys/class/drm" / node.name / "device/driver"
            found.append(Gpu(node, driver.resolve().name if driver.exists() else "unknown"))
        if (self.root / "proc/driver/nvidia").exists() and not any(
            gpu.driver == "nvidia" for gpu in found
        ):
            found.append(Gpu(self.root / "dev/nvidia0", "nvidia"))
        return found

    def may_use(self, gpu: Gpu) -> bool:
        """Whether this user may open the GPU's device file."""
        return os.access(gpu.node, os.R_OK | os.W_OK)

    def group(self, gpu: Gpu) -> str:
        """The group that may open the GPU's device file."""
        try:
            return gpu.node.group()
        except (KeyError, OSError):  # a group without a name, as in containers
            return "render"

    def board(self) -> str:
        """The board's name, from the device tree; empty on a PC."""
        try:
            text = (self.root / "proc/device-tree/model").read_text(errors="replace")
        except OSError:
            return ""
        return text.strip("\0 \n")

    def libraries(self, pattern: str) -> list[Path]:
        """Libraries whose file name fits, sorted."""
        return sorted(
            path for folder in _LIBRARY_FOLDERS for path in self.root.glob(f"{folder}/{pattern}")
        )

    def apt(self, *packages: str) -> str:
        """The command that installs Debian's packages."""
        return f"{self.sudo}apt install {' '.join(packages)}"

    def pip(self, *packages: str) -> str:
        """The command that installs Python packages beside clnet."""
        return f"{sys.executable} -m pip install {' '.join(packages)}"

    @property
    def sudo(self) -> str:
        """What makes a command run as root: nothing where we are."""
        return "" if self.is_root else "sudo "
