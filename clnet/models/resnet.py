"""ResNet: residual blocks."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.errors import InputError
from clnet.models.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Residual,
    Softmax,
)
from clnet.models.model import Sequential

#: Blocks in each of the four stages, and whether these are bottlenecks, by depth.
_STAGES = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
_BOTTLENECK = 4  # times as many channels leave it as it has inside


def resnet(
    input_shape: Sequence[int] = (3, 224, 224),
    classes: int = 1000,
    depth: int = 18,
    width: int = 64,
    seed: int = 0,
) -> Sequential:
    """He et al., "Deep Residual Learning for Image Recognition" (2016), of 18, 34, 50, 101 or 152
    layers, with ``width`` channels in the first stage.

    Images smaller than 64 pixels begin with a 3x3 convolution and no pooling, as is usual for
    CIFAR. Bottlenecks halve the image in their 3x3 convolution.
    """
    if depth not in _STAGES:
        raise InputError(f"ResNet has {', '.join(map(str, _STAGES))} layers, not {depth}")
    counts, bottleneck = _STAGES[depth]
    small = min(input_shape[1:]) < 64
    layers = [*_conv(width, 3, 1)] if small else [*_conv(width, 7, 2), MaxPool(3, 2, 1)]
    channels = width
    for stage, count in enumerate(counts):
        inner = width << stage
        outer = inner * _BOTTLENECK if bottleneck else inner
        for block in range(count):
            stride = 2 if stage and not block else 1
            if bottleneck:
                path = [*_conv(inner, 1), *_conv(inner, 3, stride), *_conv(outer, 1)]
            else:
                path = [*_conv(inner, 3, stride), *_conv(outer, 3)]
            changes = stride != 1 or channels != outer
            shortcut = _conv(outer, 1, stride)[:-1] if changes else []
            layers += [Residual(path[:-1], shortcut), Activation("Relu")]
            channels = outer
    return Sequential([*layers, GlobalAveragePool(), Dense(classes), Softmax()], input_shape, seed)


def _conv(channels: int, kernel: int, stride: int = 1) -> list[Layer]:
    """Convolution, batch normalisation and ReLU."""
    padding = kernel // 2
    conv = Conv(channels, kernel, stride, padding, bias=False, initializer="he_normal")
    return [conv, BatchNorm(), Activation("Relu")]
