"""The arrays that a call gives, by the names of the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from clnet.errors import InputError
from clnet.runtime.executable import Region

#: By name, in order, or the only one.
Arrays: TypeAlias = Mapping[str, np.ndarray] | Sequence[np.ndarray] | np.ndarray


def named_arrays(given: Arrays, inputs: Mapping[str, Region]) -> dict[str, np.ndarray]:
    """One array per input, by name. Raises InputError where names, number or dtypes do not fit."""
    if isinstance(given, np.ndarray):
        given = [given]
    if not isinstance(given, Mapping):
        if len(given) != len(inputs):
            raise InputError(f"{len(given)} inputs given, {len(inputs)} needed")
        given = dict(zip(inputs, given, strict=True))
    missing = [n for n in inputs if n not in given]
    unknown = [n for n in given if n not in inputs]
    if missing or unknown:
        wrong = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
        raise InputError(f"inputs do not fit: {wrong}; the model takes {', '.join(inputs)}")
    return {n: _as_array(n, a, inputs[n].spec.dtype) for n, a in given.items()}


def _as_array(name: str, value: np.ndarray, dtype: str) -> np.ndarray:
    array = np.asarray(value)
    if not np.can_cast(array.dtype, dtype, casting="same_kind"):
        raise InputError(f"input {name!r} is {array.dtype}, the model takes {dtype}")
    return array
