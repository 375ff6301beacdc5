"""CLBlast through pyclblast, where it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from clnet.calls import BlasCall
from clnet.errors import DeviceError

#: Operands of each routine: name in pyclblast, and number of dimensions.
OPERANDS = {
    "gemm": (("a", 2), ("b", 2), ("c", 2)),
    "gemv": (("a", 2), ("x", 1), ("y", 1)),
    "axpy": (("x", 1), ("y", 1)),
    "scal": (("x", 1),),
}

#: CLBlast's numbers for precisions.
PRECISIONS = {"float16": 16, "float32": 32, "float64": 64}


@dataclass(frozen=True)
class Override:
    """Other parameters for one of CLBlast's kernels: a value for each that it has."""

    kernel: str
    dtype: str
    parameters: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, kernel: str, dtype: str, parameters: Mapping[str, int]) -> Override:
        """The override with these parameters."""
        return cls(kernel, dtype, tuple(sorted(parameters.items())))


#: What was overridden in this process, by device, kernel and dtype.
_overridden: dict[tuple[Any, str, str], Override] = {}


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether pyclblast is there and finds its library."""
    try:
        _pyclblast()
    except ImportError:
        return False
    return True


def bind(call: BlasCall, queue: Any, buffers: Sequence[Any]) -> Callable[[], object]:
    """A callable that enqueues the routine on ``buffers`` (one per operand of the call).

    Raises DeviceError when it is called and CLBlast refuses.
    """
    array = importlib.import_module("pyopencl.array").Array
    names = OPERANDS[call.routine]
    # pyclblast takes the buffer and the dtype of an array; shape and offset it does not heed.
    operands = [
        array(queue, (1,) * rank, call.dtype, data=buffer)
        for (_, rank), buffer in zip(names, buffers, strict=True)
    ]
    offsets = {f"{n}_offset": o for (n, _), o in zip(names, call.offsets, strict=True)}
    routine = getattr(_pyclblast(), call.routine)
    keywords = {**dict(call.params), **offsets}

    def enqueue() -> object:
        try:
            return routine(queue, *call.sizes, *operands, **keywords)
        except RuntimeError as error:
            raise DeviceError(f"CLBlast {call.routine} {call.sizes}: {error}") from None

    return enqueue


def override(cl_device: Any, change: Override) -> None:
    """Let CLBlast compute with other parameters on a device from now on, in the whole process.

    Raises DeviceError where CLBlast has no such kernel, or the kernel more parameters.
    """
    key = (cl_device, change.kernel, change.dtype)
    if _overridden.get(key) == change:
        return
    precision, parameters = PRECISIONS[change.dtype], dict(change.parameters)
    try:
        _pyclblast().override_parameters(cl_device, change.kernel, precision, parameters)
    except RuntimeError as error:
        raise DeviceError(f"CLBlast {change.kernel}: {error}") from None
    _overridden[key] = change


def is_overridden(cl_device: Any, kernel: str, dtype: str) -> bool:
    """Whether CLBlast's own parameters are out of reach in this process."""
    return (cl_device, kernel, dtype) in _overridden


@lru_cache(maxsize=1)
def version() -> str:
    """The version of pyclblast and, where Linux tells which file is loaded, of the library."""
    _pyclblast()
    binding = f"pyclblast {metadata.version('pyclblast')}"
    try:
        maps = Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        return binding
    files = {line.split(maxsplit=5)[-1] for line in maps.splitlines() if "/libclblast." in line}
    return " ".join([binding, *sorted(Path(file).name for file in files)])


def _pyclblast() -> Any:
    importlib.import_module("clnet.runtime.opencl")  # prepares the environment for pyopencl
    return importlib.import_module("pyclblast")
