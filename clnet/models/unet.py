"""U-Net: pixels in, pixels out."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.errors import InputError
from clnet.models.layers import (
    Activation,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Input,
    Layer,
    MaxPool,
    Softmax,
    Tensor,
)
from clnet.models.model import Model


def unet(
    input_shape: Sequence[int] = (1, 128, 192),
    classes: int = 2,
    base: int = 64,
    depth: int = 4,
    batch_norm: bool = False,
    seed: int = 0,
) -> Model:
    """Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation" (2015),
    with padding, so that the output [classes, H, W] is as large as the image.

    ``base`` channels at full size, doubled ``depth`` times on the way down, where images halve:
    their sizes must be multiples of 2**depth. With one class the output is a logit, for
    "bce_with_logits"; else probabilities.
    """
    if any(size % (1 << depth) for size in input_shape[1:]):
        raise InputError(f"images of {list(input_shape[1:])} do not halve {depth} times")

    def two(x: Tensor, channels: int) -> Tensor:
        for _ in range(2):
            for layer in _conv(channels, batch_norm):
                x = layer(x)
        return x

    x = Input(input_shape)
    y, skipped = x, []
    for level in range(depth):
        y = two(y, base << level)
        skipped.append(y)
        y = MaxPool(2)(y)
    y = two(y, base << depth)
    for level in reversed(range(depth)):
        y = ConvTranspose(base << level, 2, 2, initializer="he")(y)
        y = two(Concat()(skipped[level], y), base << level)
    y = Conv(classes, 1)(y)
    return Model(x, y if classes == 1 else Softmax()(y), seed)


def _conv(channels: int, batch_norm: bool) -> list[Layer]:
    conv = Conv(channels, 3, padding=1, bias=not batch_norm, initializer="he")
    return [conv, *([BatchNorm()] if batch_norm else []), Activation("Relu")]
