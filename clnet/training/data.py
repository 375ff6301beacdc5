"""Checks samples and labels, and lays them out for the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.errors import DataError
from clnet.training.losses import Loss


@dataclass(frozen=True)
class Samples:
    """x[count, *shape] of any real dtype, an array or anything with ``shape``, ``dtype`` and
    ``x[indices]``, and targets y[count, ...] as ``loss`` takes them."""

    x: Any
    y: np.ndarray
    loss: Loss

    @classmethod
    def checked(
        cls,
        x: Any,
        y: np.ndarray,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        loss: Loss,
    ) -> Samples:
        """Samples that fit a network. Raises DataError naming the first thing that does not."""
        if not (hasattr(x, "shape") and hasattr(x, "dtype")):
            x = np.asarray(x)
        y = np.asarray(y)
        if tuple(x.shape[1:]) != tuple(input_shape) or not len(x):
            raise DataError(f"x is {list(x.shape)}; the network takes [N, {_list(input_shape)}]")
        if not np.can_cast(x.dtype, np.float32, "same_kind"):
            raise DataError(f"x is {x.dtype}, which does not convert to float32")
        wanted = [len(x), *loss.target_shape(output_shape)]
        kind = "labels" if loss.labels else "targets"
        if y.shape == (len(x),) and y.size == np.prod(wanted):
            y = y.reshape(wanted)  # one number a sample: no need to spell out dimensions of one
        if list(y.shape) != wanted:
            raise DataError(f"y is {list(y.shape)}; {kind} {wanted} are needed")
        if loss.labels:
            _check_labels(y, output_shape[0], loss)
        elif not np.can_cast(y.dtype, np.float32, "same_kind"):
            raise DataError(f"y is {y.dtype}, which does not convert to float32")
        elif np.isinf(y).any():
            raise DataError(f"target y[{_first(np.isinf(y))}] is infinite")
        return cls(x, y, loss)

    def __len__(self) -> int:
        return len(self.x)

    def fill(self, chosen: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        """Write the chosen samples into x[steps, batch, ...] and y[steps, batch, ...]; what is
        left of these becomes samples that do not count. Raises DataError for a sample that holds
        what is no finite number."""
        flat_x = x.reshape(-1, *x.shape[2:])
        flat_y = y.reshape(-1, *y.shape[2:])
        values = self.x[chosen]
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            where = np.argwhere(~np.isfinite(values))[0]
            value = values[tuple(where)]
            raise DataError(f"x[{chosen[where[0]]}] is {value} at [{_list(where[1:])}]")
        flat_x[: len(chosen)] = values
        flat_y[: len(chosen)] = self.y[chosen]
        flat_x[len(chosen) :] = 0
        flat_y[len(chosen) :] = self.loss.ignored


def _check_labels(y: np.ndarray, classes: int, loss: Loss) -> None:
    if not np.issubdtype(y.dtype, np.integer):
        raise DataError(f"y is {y.dtype}; labels are integers")
    wrong = ((y < 0) & (y != loss.ignored)) | (y >= classes)
    if wrong.any():
        value = y[np.unravel_index(wrong.argmax(), y.shape)]
        raise DataError(
            f"label y[{_first(wrong)}] is {value}; there are classes 0 to {classes - 1}"
        )


def _first(marked: np.ndarray) -> str:
    """The index of the first element that is True."""
    return _list(np.unravel_index(marked.argmax(), marked.shape))


def _list(numbers: Iterable[Any]) -> str:
    return ", ".join(str(n) for n in numbers)
