"""clnet: run and train neural networks on any OpenCL device."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clnet.errors import (
    BuildError,
    ClnetError,
    DeviceError,
    InputError,
    ModelError,
    ShapeError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from clnet.runtime.devices import devices
    from clnet.session.load import load
    from clnet.session.session import Session

__version__ = "0.1.0"

__all__ = [
    "BuildError",
    "ClnetError",
    "DeviceError",
    "InputError",
    "ModelError",
    "Session",
    "ShapeError",
    "UnsupportedError",
    "devices",
    "load",
]

#: What needs OpenCL is imported when it is first asked for, so that `clnet --help` is instant and
#: `clnet doctor` runs where OpenCL itself is what is missing.
_LAZY = {
    "Session": "clnet.session.session",
    "devices": "clnet.runtime.devices",
    "load": "clnet.session.load",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'clnet' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
