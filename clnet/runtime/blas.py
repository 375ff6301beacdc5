"""CLBlast through pyclblast, where it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
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


def _pyclblast() -> Any:
    importlib.import_module("clnet.runtime.opencl")  # prepares the environment for pyopencl
    return importlib.import_module("pyclblast")
