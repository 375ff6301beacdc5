"""Random weights for networks that come without any."""

from __future__ import annotations

import math

import numpy as np

from clnet.errors import ModelError

#: In a row; no network comes near.
MAX_NUMBERS = 1 << 26


class RandomNumbers:
    """Normally distributed numbers without memory of their own: the rows of a matrix are the same
    numbers, each shifted by one. For looking at a network, or trying one that is not trained."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._pool = self._rng.standard_normal(1 << 16, np.float32)

    def weights(self, *shape: int) -> np.ndarray:
        """Those of a layer: a sum over all axes but the first keeps its input's size."""
        return self._view(math.sqrt(2 / max(1, math.prod(shape[1:]))) * self._numbers(shape), shape)

    def biases(self, *shape: int) -> np.ndarray:
        """Of both signs, about 1."""
        return self._view(self._numbers(shape), shape)

    def positive(self, *shape: int) -> np.ndarray:
        """Scales and variances: from 1/2 on."""
        return self._view(np.float32(0.5) + np.abs(self._numbers(shape)), shape)

    def _numbers(self, shape: tuple[int, ...]) -> np.ndarray:
        needed = shape[0] + math.prod(shape[1:]) - 1 if shape else 1
        if needed > MAX_NUMBERS:
            raise ModelError(f"weights of the shape {list(shape)} are too many")
        if needed > self._pool.size:
            more = self._rng.standard_normal(needed, np.float32)
            self._pool = np.concatenate([self._pool, more])
        return self._pool[: max(1, needed)]

    def _view(self, numbers: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        columns = math.prod(shape[1:])
        numbers = numbers.astype(np.float32, copy=False)
        return np.lib.stride_tricks.sliding_window_view(numbers, columns).reshape(shape)
