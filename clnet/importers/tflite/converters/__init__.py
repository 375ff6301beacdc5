"""Converters by family. Importing this package registers them all."""

from clnet.importers.tflite.converters import (
    arithmetic,
    constants,
    convolution,
    custom,
    detection,
    movement,
    normalization,
    pooling,
    product,
    recurrent,
    reduction,
    resize,
    selection,
    shape,
    slicing,
)

__all__ = [
    "arithmetic",
    "constants",
    "convolution",
    "custom",
    "detection",
    "movement",
    "normalization",
    "pooling",
    "product",
    "recurrent",
    "reduction",
    "resize",
    "selection",
    "shape",
    "slicing",
]
