"""clnet: run and train neural networks on any OpenCL device."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clnet.errors import (
    BuildError,
    ClnetError,
    DataError,
    DeviceError,
    InputError,
    ModelError,
    ShapeError,
    TrainingError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from clnet import datasets, models
    from clnet.models import Model, Sequential, layers
    from clnet.models.layers import Input
    from clnet.runtime.devices import devices
    from clnet.session.load import load
    from clnet.session.session import Session
    from clnet.session.tune import tune
    from clnet.training import Augmentation, EarlyStop, Trainer, optimizers, schedules

__version__ = "0.1.0"

__all__ = [
    "Augmentation",
    "BuildError",
    "ClnetError",
    "DataError",
    "DeviceError",
    "EarlyStop",
    "Input",
    "InputError",
    "Model",
    "ModelError",
    "Sequential",
    "Session",
    "ShapeError",
    "Trainer",
    "TrainingError",
    "UnsupportedError",
    "datasets",
    "devices",
    "layers",
    "load",
    "models",
    "optimizers",
    "schedules",
    "tune",
]

#: What needs OpenCL is imported when it is first asked for, so that `clnet --help` is instant and
#: `clnet doctor` runs where OpenCL itself is what is missing.
_LAZY = {
    "Augmentation": "clnet.training.augmentation",
    "EarlyStop": "clnet.training.early_stop",
    "Input": "clnet.models.layers",
    "Model": "clnet.models.model",
    "Sequential": "clnet.models.model",
    "Session": "clnet.session.session",
    "Trainer": "clnet.training.trainer",
    "devices": "clnet.runtime.devices",
    "load": "clnet.session.load",
    "tune": "clnet.session.tune",
}
_LAZY_MODULES = {
    "datasets": "clnet.datasets",
    "layers": "clnet.models.layers",
    "models": "clnet.models",
    "onnx_backend": "clnet.onnx_backend",
    "optimizers": "clnet.training.optimizers",
    "schedules": "clnet.training.schedules",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        value = importlib.import_module(_LAZY_MODULES[name])
    elif name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    else:
        raise AttributeError(f"module 'clnet' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
