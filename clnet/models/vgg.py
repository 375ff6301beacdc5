"""VGG: stacks of 3x3 convolutions between poolings."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.errors import InputError
from clnet.models.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool,
    Softmax,
)
from clnet.models.model import Sequential

#: Convolutions in each of the five stacks, by the number of layers with weights.
_STACKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg(
    input_shape: Sequence[int] = (3, 224, 224),
    classes: int = 1000,
    depth: int = 16,
    width: float = 1.0,
    units: int = 4096,
    batch_norm: bool = False,
    seed: int = 0,
) -> Sequential:
    """Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition"
    (2015): 64 to 512 channels, times ``width``, then two layers of ``units`` and the classes.

    ``depth`` is 11, 13, 16 or 19. Images halve as long as they are larger than one pixel.
    """
    if depth not in _STACKS:
        raise InputError(f"VGG has 11, 13, 16 or 19 layers, not {depth}")
    layers: list[Layer] = []
    size = min(input_shape[1:])
    for count, channels in zip(_STACKS[depth], (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            conv = Conv(
                max(1, round(width * channels)), 3, padding=1, bias=not batch_norm, initializer="he"
            )
            layers += [conv, *([BatchNorm()] if batch_norm else []), Activation("Relu")]
        if size > 1:
            layers.append(MaxPool(2))
            size //= 2
    layers.append(Flatten())
    for _ in range(2):
        layers += [Dense(units, initializer="he"), Activation("Relu"), Dropout(0.5)]
    return Sequential([*layers, Dense(classes), Softmax()], input_shape, seed)
