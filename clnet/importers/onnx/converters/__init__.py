"""Converters by family. Importing this package registers them all.

Only what needs more than other names for its attributes is here: the rest comes from the ops'
``spellings``, from the table of elementwise functions, and from ONNX's own definitions.
"""

from clnet.importers.onnx.converters import (
    activation,
    arithmetic,
    constants,
    control,
    convolution,
    detection,
    microsoft,
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
    "constants",
    "control",
    "convolution",
    "detection",
    "microsoft",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "shape",
]
