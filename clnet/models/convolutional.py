"""Small convolutional classifiers."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.models.layers import Activation, Conv, Dense, Flatten, Layer, MaxPool, Softmax
from clnet.models.model import Sequential


def lenet(input_shape: Sequence[int] = (1, 28, 28), classes: int = 10, seed: int = 0) -> Sequential:
    """6 and 16 maps of 5x5, each with tanh and max-pooling, then 120 units and the classes.

    After LeCun et al., "Gradient-based learning applied to document recognition" (1998), in the
    form that later benchmarks train on MNIST.
    """
    return mnist_cnn(input_shape, classes, seed=seed)


def mnist_cnn(
    input_shape: Sequence[int] = (1, 28, 28),
    classes: int = 10,
    maps: Sequence[int] = (6, 16),
    kernels: Sequence[int] = (5, 5),
    units: Sequence[int] = (120,),
    seed: int = 0,
) -> Sequential:
    """The form of network that the CUDA CNN of the benchmarks is given as: convolution and
    max-pooling by turns, then fully connected layers; tanh everywhere, softmax at the end.

    ``maps`` and ``kernels`` are of the convolutions, ``units`` of the hidden layers. As it stands
    it is :func:`lenet`.
    """
    layers: list[Layer] = []
    for channels, kernel in zip(maps, kernels, strict=True):
        layers += [Conv(channels, kernel), Activation("Tanh"), MaxPool(2)]
    layers.append(Flatten())
    for count in units:
        layers += [Dense(count), Activation("Tanh")]
    return Sequential([*layers, Dense(classes), Softmax()], input_shape, seed)


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
