"""Checks samples and labels, and lays them out for the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clnet.errors import InputError
from clnet.training.losses import IGNORED


@dataclass(frozen=True)
class Samples:
    """x[count, *shape] of any real dtype, and labels y[count, *positions]."""

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def checked(
        cls, x: np.ndarray, y: np.ndarray, input_shape: Sequence[int], output_shape: Sequence[int]
    ) -> Samples:
        """Samples that fit a network. Raises InputError naming the first thing that does not."""
        x, y = np.asarray(x), np.asarray(y)
        if x.shape[1:] != tuple(input_shape) or not len(x):
            raise InputError(f"x is {list(x.shape)}; the network takes [N, {_list(input_shape)}]")
        if not np.can_cast(x.dtype, np.float32, "same_kind"):
            raise InputError(f"x is {x.dtype}, which does not convert to float32")
        classes, *positions = output_shape
        if y.shape != (len(x), *positions):
            wanted = [len(x), *positions]
            raise InputError(f"y is {list(y.shape)}; labels {wanted} are needed")
        if not np.issubdtype(y.dtype, np.integer):
            raise InputError(f"y is {y.dtype}; labels are integers")
        wrong = np.flatnonzero(((y < 0) & (y != IGNORED)) | (y >= classes))
        if len(wrong):
            where = np.unravel_index(wrong[0], y.shape)
            index = ", ".join(str(i) for i in where)
            raise InputError(
                f"label y[{index}] is {y[where]}; there are classes 0 to {classes - 1}"
            )
        return cls(x, y)

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
        flat_y[len(chosen) :] = IGNORED


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(str(n) for n in numbers)
