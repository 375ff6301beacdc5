"""clnet: run and train neural networks on any OpenCL device."""

from __future__ import annotations

from clnet.errors import (
    BuildError,
    ClnetError,
    DeviceError,
    InputError,
    ModelError,
    ShapeError,
    UnsupportedError,
)
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
    "load",
]
