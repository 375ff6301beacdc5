"""Finds the kernel sources and the board files, in a checkout as in an installed wheel.

`clnet/_data/` holds a link to `cl_kernels/` and one to `boards/` of the checkout. Building a wheel
follows the links, so that an installed clnet carries copies of both at the same place.
"""

from __future__ import annotations

from pathlib import Path

from clnet.errors import ClnetError

_DATA = Path(__file__).resolve().parent / "_data"
_KERNELS = (_DATA / "cl_kernels").resolve()


def kernels_path() -> Path:
    """The folder of the OpenCL sources: what `#include "include/common.h"` is relative to."""
    return _KERNELS


def kernel_path(name: str) -> Path:
    """The source file of kernel family `name`, for instance `conv2d` for `cl_kernels/conv2d.cl`.

    Raises:
        ClnetError: no such file is there.
    """
    path = _KERNELS / f"{name}.cl"
    if not path.is_file():
        raise ClnetError(f"no OpenCL source for {name!r}: {path} is missing")
    return path


def kernel_names() -> list[str]:
    """The names that `kernel_path` knows, sorted."""
    return sorted(path.stem for path in _KERNELS.glob("*.cl"))


def boards_path() -> Path:
    """The folder of the board files, `<board>.toml` and `<board>.tuning.jsonl`."""
    return (_DATA / "boards").resolve()
