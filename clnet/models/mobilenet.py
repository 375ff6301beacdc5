"""MobileNetV2: inverted residuals."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.models.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalAveragePool,
    Layer,
    Residual,
    Softmax,
)
from clnet.models.model import Sequential

#: Of each stage: expansion, channels, blocks, stride of the first block.
_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
    (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def mobilenet_v2(
    input_shape: Sequence[int] = (3, 224, 224),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.2,
    seed: int = 0,
) -> Sequential:
    """Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018).

    ``width`` multiplies the channels, which are rounded to multiples of 8. Images smaller than 64
    pixels are not halved by the first convolution, nor by the first stage that would.
    """
    small = min(input_shape[1:]) < 64
    channels = _rounded(32 * width)
    layers = _conv(channels, 3, 1 if small else 2)
    for number, (expansion, outputs, blocks, first) in enumerate(_STAGES):
        outer = _rounded(outputs * width)
        for block in range(blocks):
            stride = 1 if block or (small and number == 1) else first
            inner = channels * expansion
            path = _conv(inner, 1) if expansion != 1 else []
            path += [*_conv(inner, 3, stride, inner), *_conv(outer, 1)[:-1]]
            layers += [Residual(path)] if stride == 1 and channels == outer else path
            channels = outer
    layers += _conv(_rounded(1280 * max(1.0, width)), 1)
    head = [GlobalAveragePool(), Dropout(dropout), Dense(classes), Softmax()]
    return Sequential([*layers, *head], input_shape, seed)


def _conv(channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Layer]:
    """Convolution, batch normalisation and ReLU6."""
    conv = Conv(
        channels, kernel, stride, kernel // 2, groups=groups, bias=False, initializer="he_normal"
    )
    return [conv, BatchNorm(), Activation("Clip", (("min", 0.0), ("max", 6.0)))]


def _rounded(channels: float) -> int:
    """The nearest multiple of 8 that is not below nine tenths of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
