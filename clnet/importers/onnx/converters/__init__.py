"""Converters by family. Importing this package registers them all.

Only what needs more than other names for its attributes is here: the rest comes from the ops'
``spellings``, from the table of elementwise functions, and from ONNX's own definitions.
"""

from clnet.importers.onnx.converters import (
    activation,
    arithmetic,
    casting,
    constants,
    control,
    convolution,
    detection,
    indexing,
    linear_algebra,
    microsoft,
    microsoft_quantized,
    movement,
    normalization,
    pooling,
    quantized,
    recurrent,
    reduction,
    resize,
    sampling,
    shape,
    signal,
)

__all__ = [
    "activation",
    "arithmetic",
    "casting",
    "constants",
    "control",
    "convolution",
    "detection",
    "indexing",
    "linear_algebra",
    "microsoft",
    "microsoft_quantized",
    "movement",
    "normalization",
    "pooling",
    "quantized",
    "recurrent",
    "reduction",
    "resize",
    "sampling",
    "shape",
    "signal",
]
