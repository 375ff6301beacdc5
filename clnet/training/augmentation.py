"""Augmentation: every sample a little different each time it is trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from clnet.errors import InputError
from clnet.graph import GraphBuilder, Value
from clnet.ops.add_noise import AddNoise
from clnet.ops.philox import philox
from clnet.ops.smooth_field import SmoothField
from clnet.ops.warp import Warp

#: Inputs of the graph that feeds samples to the device.
KEYS, MATRICES = "keys", "matrices"
_RANDOM_NUMBERS = 6  # for a sample's affine map


@dataclass(frozen=True)
class Augmentation:
    """What may happen to images [C, H, W] on their way into training, computed on the device.

    ``rotation``: up to so many degrees either way. ``scale``: up to this share larger or smaller.
    ``shift``: up to so many pixels in each direction. ``flip``: left to right, every second time.
    ``elastic``: factor of a smooth random field of displacements, in pixels, and ``smoothness``
    the standard deviation of the Gaussian that smooths it (Simard et al., "Best Practices for
    Convolutional Neural Networks Applied to Visual Document Analysis", 2003, took 34 and 4 for
    handwritten digits). ``noise``: standard deviation of what is added. What comes in from outside
    an image is 0. Raises InputError for numbers out of range.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    flip: bool = False
    elastic: float = 0.0
    smoothness: float = 4.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"augmentation: {field.name} is {value}")
        if self.scale >= 1:
            raise InputError(f"augmentation: a scale of {self.scale}, which must be below 1")
        if not 0 < self.smoothness < 1000:
            raise InputError(f"augmentation: a smoothness of {self.smoothness}")

    @property
    def warps(self) -> bool:
        """Whether pixels move."""
        return bool(self.rotation or self.scale or self.shift or self.flip or self.elastic)

    def append(self, build: GraphBuilder, x: Value) -> Value:
        """Append the nodes behind samples x[N, C, H, W]; adds the inputs that ``inputs`` fills."""
        count, *shape = x.spec.shape
        if self.warps and len(shape) != 3:
            raise InputError(f"augmentation is for images [C, H, W], not {shape}")
        keys = build.input(KEYS, (count,), "uint32")
        if self.warps:
            matrices = build.input(MATRICES, (count, 6))
            field = None
            if self.elastic:
                op = SmoothField(shape[1], shape[2], self.smoothness, self.elastic)
                field = build.add(op, keys)
            x = build.add(Warp(), x, matrices, field)
        return build.add(AddNoise(self.noise), x, keys) if self.noise else x

    def inputs(
        self, seed: int, epoch: int, samples: np.ndarray, size: tuple[int, int]
    ) -> Mapping[str, np.ndarray]:
        """What the nodes need for ``samples`` (their numbers) of an epoch, for images of ``size``
        (height, width): the same for the same seed, epoch and sample, whatever the batch."""
        counter = np.stack([samples, np.full(len(samples), epoch)], -1).astype(np.uint32)
        words = philox(counter, seed & 0xFFFFFFFF)
        result = {KEYS: words[:, 0]}
        if self.warps:
            result[MATRICES] = self._matrices(words[:, 1], size)
        return result

    def _matrices(self, keys: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """From a pixel's place to where its value comes from, about the image's middle."""
        counter = np.zeros((len(keys), _RANDOM_NUMBERS // 2, 2), np.uint32)
        counter[:, :, 0] = np.arange(_RANDOM_NUMBERS // 2)
        unit = philox(counter, keys[:, None]).reshape(len(keys), -1) / 2.0**31 - 1  # [-1, 1)
        angle = np.radians(self.rotation) * unit[:, 0]
        factor = 1 / (1 + self.scale * unit[:, 1])
        mirror = np.where(unit[:, 4] < 0, -1.0, 1.0) if self.flip else np.ones(len(keys))
        a, b = factor * np.cos(angle), factor * np.sin(angle)
        row, column = ((s - 1) / 2 for s in size)
        across = column + self.shift * unit[:, 2]
        down = row + self.shift * unit[:, 3]
        linear = np.stack([a * mirror, b, -b * mirror, a], -1)
        at_column = across - linear[:, 0] * column - linear[:, 1] * row
        at_row = down - linear[:, 2] * column - linear[:, 3] * row
        parts = [linear[:, 0], linear[:, 1], at_column, linear[:, 2], linear[:, 3], at_row]
        return np.stack(parts, -1).astype(np.float32)
