"""Checks samples and labels, and lays them out for the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clnet.errors import InputError
from clnet.training.losses import Loss


@dataclass(frozen=True)
class Samples:
    """x[count, *shape] of any real dtype, and targets y[count, ...] as ``loss`` takes them."""

    x: np.ndarray
    y: np.ndarray
    loss: Loss

    @classmethod
    def checked(
        cls,
        x: np.ndarray,
        y: np.ndarray,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        loss: Loss,
    ) -> Samples:
        """Samples that fit a network. Raises InputError naming the first thing that does not."""
        x, y = np.asarray(x), np.asarray(y)
        if x.shape[1:] != tuple(input_shape) or not len(x):
            raise InputError(f"x is {list(x.shape)}; the network takes [N, {_list(input_shape)}]")
        if not np.can_cast(x.dtype, np.float32, "same_kind"):
            raise InputError(f"x is {x.dtype}, which does not convert to float32")
        wanted = [len(x), *loss.target_shape(output_shape)]
        kind = "labels" if loss.labels else "targets"
        if list(y.shape) != wanted:
            raise InputError(f"y is {list(y.shape)}; {kind} {wanted} are needed")
        if not loss.labels:
            if not np.can_cast(y.dtype, np.float32, "same_kind"):
                raise InputError(f"y is {y.dtype}, which does not convert to float32")
            return cls(x, y, loss)
        if not np.issubdtype(y.dtype, np.integer):
            raise InputError(f"y is {y.dtype}; labels are integers")
        wrong = np.flatnonzero(((y < 0) & (y != loss.ignored)) | (y >= output_shape[0]))
        if len(wrong):
            where = np.unravel_index(wrong[0], y.shape)
            index = ", ".join(str(i) for i in where)
            last = output_shape[0] - 1
            raise InputError(f"label y[{index}] is {y[where]}; there are classes 0 to {last}")
        return cls(x, y, loss)

    def __len__(self) -> int:
        return len(self.x)

    def fill(self, chosen: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        """Write the chosen samples into x[steps, batch, ...] and y[steps, batch, ...]; what is
        left of these becomes samples that do not count."""
        flat_x = x.reshape(-1, *x.shape[2:])
        flat_y = y.reshape(-1, *y.shape[2:])
        flat_x[: len(chosen)] = self.x[chosen]
        flat_y[: len(chosen)] = self.y[chosen]
        flat_x[len(chosen) :] = 0
        flat_y[len(chosen) :] = self.loss.ignored


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(str(n) for n in numbers)
