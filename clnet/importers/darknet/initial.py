"""The first values of a network's weights, as Darknet makes them."""

from __future__ import annotations

import math

import numpy as np


class InitialWeights:
    """Weights made anew out of ``seed``: uniform within sqrt(2 / inputs), scales and variances one,
    all else zero. Every layer's own numbers, whatever the others are."""

    transposed = False
    batchnorm_biases = False

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def take(self, what: str, *shape: int) -> np.ndarray:
        """The next weights as an array of ``shape``."""
        if what != "weights":
            ones = what in ("scales", "variances")
            return np.full(shape, 1.0 if ones else 0.0, np.float32)
        limit = math.sqrt(2 / math.prod(shape[1:]))
        return self._rng.uniform(-limit, limit, shape).astype(np.float32)

    def finish(self) -> None:
        """All layers have theirs."""
