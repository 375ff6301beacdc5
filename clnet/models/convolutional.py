"""Small convolutional classifiers."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.models.layers import Activation, Conv, Dense, Flatten, MaxPool, Softmax
from clnet.models.sequential import Sequential


def lenet(input_shape: Sequence[int] = (1, 28, 28), classes: int = 10, seed: int = 0) -> Sequential:
    """6 and 16 maps of 5x5, each with tanh and max-pooling, then 120 units and the classes.

    After LeCun et al., "Gradient-based learning applied to document recognition" (1998), in the
    form that later benchmarks train on MNIST.
    """
    return Sequential(
        [
            Conv(6, 5), Activation("Tanh"), MaxPool(2),
            Conv(16, 5), Activation("Tanh"), MaxPool(2),
            Flatten(), Dense(120), Activation("Tanh"), Dense(classes), Softmax(),
        ],
        input_shape, seed,
    )  # fmt: skip


def digits_cnn(
    input_shape: Sequence[int] = (1, 8, 8), classes: int = 10, seed: int = 0
) -> Sequential:
    """For tiny images: 16 and 32 maps of 3x3 with ReLU, a pooling between, then the classes."""
    return Sequential(
        [
            Conv(16, 3, padding=1, initializer="he"), Activation("Relu"), MaxPool(2),
            Conv(32, 3, padding=1, initializer="he"), Activation("Relu"),
            Flatten(), Dense(classes), Softmax(),
        ],
        input_shape, seed,
    )  # fmt: skip
