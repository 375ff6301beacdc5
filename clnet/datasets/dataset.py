"""Dataset, and Pixels: bytes that become numbers as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.errors import InputError
from clnet.images import Normalization


@dataclass(frozen=True)
class Dataset:
    """Samples ``x`` [N, *shape], an array or anything with ``shape``, ``dtype`` and ``x[indices]``;
    their labels or targets ``y`` [N, ...]; and the names of the classes, where known."""

    x: Any
    y: np.ndarray
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def part(self, indices: np.ndarray | slice) -> Dataset:
        """Some of the samples."""
        chosen = np.arange(len(self.y))[indices]
        return Dataset(Chosen(self.x, chosen), self.y[chosen], self.classes)

    def split(self, share: float, seed: int = 0) -> tuple[Dataset, Dataset]:
        """A random ``share`` of the samples in the second part, the others in the first."""
        if not 0 < share < 1:
            raise InputError(f"a share of {share} of the samples")
        order = np.random.default_rng(seed).permutation(len(self.y))
        count = max(1, round(share * len(order)))
        return self.part(np.sort(order[count:])), self.part(np.sort(order[:count]))


class Chosen:
    """Some samples of others."""

    def __init__(self, x: Any, indices: np.ndarray) -> None:
        self._x, self._indices = x, indices
        self.shape: tuple[int, ...] = (len(indices), *x.shape[1:])
        self.dtype: np.dtype = np.dtype(x.dtype)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, which: Any) -> np.ndarray:
        result: np.ndarray = self._x[self._indices[which]]
        return result


class Pixels:
    """Images kept as bytes [N, C, H, W], read as float32: (pixel - mean) * scale, by default 0 to
    1. A quarter of the memory of floats."""

    dtype = np.dtype(np.float32)

    def __init__(self, pixels: np.ndarray, normalization: Normalization | None = None) -> None:
        self.pixels = pixels
        self.shape: tuple[int, ...] = pixels.shape
        self._mean, self._scale = normalizers(normalization or Normalization(), pixels.shape[1])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, which: Any) -> np.ndarray:
        return np.asarray((self.pixels[which] - self._mean) * self._scale)


def normalizers(normalization: Normalization, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale as float32 [C, 1, 1], for images in RGB or grey."""
    if normalization.order != "rgb":
        raise InputError("images to train on are RGB or grey")
    return _each(normalization.mean, channels), _each(normalization.scale, channels)


def _each(values: Sequence[float], channels: int) -> np.ndarray:
    if len(values) not in (1, channels):
        raise InputError(f"{len(values)} numbers to normalise {channels} channels")
    return np.broadcast_to(np.asarray(values, np.float32), (channels,)).reshape(channels, 1, 1)
