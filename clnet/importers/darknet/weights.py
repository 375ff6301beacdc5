"""The weights: a header and then nothing but floats, layer after layer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from clnet.errors import ModelError
from clnet.importers.random_weights import RandomNumbers


class Weights(Protocol):
    """Where layers take their weights from, in the order of the file."""

    #: Whether the matrices of connected layers stand as [inputs, outputs].
    transposed: bool
    #: Whether batchnorm layers have biases, in front of their scales.
    batchnorm_biases: bool

    def take(self, what: str, *shape: int) -> np.ndarray:
        """The next floats as an array of ``shape``; ``what`` names them in errors."""

    def finish(self) -> None:
        """Called once all layers have theirs."""


class WeightsFile:
    """A file, mapped. Every count is checked against the file's size before anything is made.

    The header is three 32-bit numbers (major, minor, revision) and how many images were seen in
    training, which has 64 bits from version 0.2 on. Above 1000 the version marks transposed
    matrices.
    """

    def __init__(self, path: Path, batchnorm_biases: bool = False) -> None:
        self.path, self.batchnorm_biases = path, batchnorm_biases
        try:
            if path.stat().st_size < 16:
                raise ModelError("too short for Darknet's weights", file=path)
            self._data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"cannot be read: {reason}", file=path) from error
        major, minor = (int(v) for v in self._data[:8].view("<i4"))
        self.transposed = major > 1000 or minor > 1000
        wide = major * 10 + minor >= 2 and major < 1000 and minor < 1000
        self._position = 20 if wide else 16

    def take(self, what: str, *shape: int) -> np.ndarray:
        count = math.prod(shape)
        left = self._data.size - self._position
        if 4 * count > left:
            raise ModelError(
                f"needs {count} {what}, {4 * count} bytes, but of {self._data.size} bytes in"
                f" {self.path} only {max(0, left)} are left"
            )
        start, self._position = self._position, self._position + 4 * count
        return self._data[start : self._position].view("<f4").reshape(shape)

    def finish(self) -> None:
        left = self._data.size - self._position
        if left:
            raise ModelError(
                f"the weights end here, but {left} bytes of {self._data.size} in {self.path} follow"
            )


class RandomWeights:
    """Random weights of a sensible size, out of ``seed``."""

    transposed = batchnorm_biases = False

    def __init__(self, seed: int = 0) -> None:
        self._numbers = RandomNumbers(seed)

    def take(self, what: str, *shape: int) -> np.ndarray:
        if what in ("scales", "variances"):
            return self._numbers.positive(*shape)
        return self._numbers.weights(*shape) if what == "weights" else self._numbers.biases(*shape)

    def finish(self) -> None:
        pass
