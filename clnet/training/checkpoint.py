"""Checkpoints and weights as safetensors files, which appear whole or not at all."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from clnet.errors import ClnetError, InputError

#: The key of what is no tensor, in the file's metadata.
_META = "clnet"


def write_tensors(
    path: str | PathLike[str], tensors: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> None:
    """Write a file atomically: whoever opens ``path``, even after a crash or a power failure, finds
    the old file or the new one. Raises InputError where it cannot be written."""
    from_numpy = _library().save
    # Arrays without dimensions are stored as they are; the library wants contiguous memory.
    arrays = {name: np.asarray(a, order="C") for name, a in tensors.items()}
    write_atomically(Path(path), from_numpy(arrays, {_META: json.dumps(dict(meta))}))


def write_atomically(path: Path, data: bytes) -> None:
    """Through a file beside it that is on disk before it takes the name; what a kill leaves of that
    is overwritten the next time."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too
        finally:
            os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def read_tensors(path: str | PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of a safetensors file, and what clnet wrote beside them ({} in others' files).

    Raises InputError where it cannot be read.
    """
    library = _library()
    try:
        data = Path(path).read_bytes()
        tensors = library.load(data)
        return tensors, json.loads(_metadata(data).get(_META, "{}"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:  # the library's own errors share no other base
        raise InputError(f"{path} is not a safetensors file: {error}") from None


def _metadata(data: bytes) -> dict[str, str]:
    """The header's own part: its length in 8 bytes, then JSON."""
    (length,) = struct.unpack("<Q", data[:8])
    found: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return found


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ClnetError("weights in files need safetensors: pip install 'clnet[train]'") from None
    return safetensors.numpy
