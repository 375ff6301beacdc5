"""Converters by family. Importing this package registers them all."""

from clnet.importers.caffe.converters import (
    activation,
    arithmetic,
    convolution,
    detection,
    movement,
    normalization,
    pooling,
    reduction,
    resize,
    shape,
)

__all__ = [
    "activation",
    "arithmetic",
    "convolution",
    "detection",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "shape",
]
