"""Dilated convolutions, which converters used to write as three operators.

SPACE_TO_BATCH_ND makes an image of every ``block``-th pixel, a convolution runs over those, and
BATCH_TO_SPACE_ND puts them together again: a convolution dilated by the block, over the padding of
the first operator less what the last one crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tflite import Padding

from clnet.importers.tflite.model import Atrous, Operator, TfliteModel
from clnet.importers.tflite.tensors import dtype_of, stored_values

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def join_dilated(model: TfliteModel) -> dict[int, Operator]:
    """The operators by position, each such three as one in the place of the convolution."""
    operators = dict(enumerate(model.operators))
    readers: dict[int, list[int]] = {}
    for position, operator in operators.items():
        for tensor in operator.inputs:
            readers.setdefault(tensor, []).append(position)

    def only_reader(operator: Operator) -> int | None:
        found = readers.get(operator.outputs[0], []) if len(operator.outputs) == 1 else []
        return found[0] if len(found) == 1 and operator.outputs[0] not in model.outputs else None

    for first, spread in enumerate(model.operators):
        middle = only_reader(spread) if spread.name == "SPACE_TO_BATCH_ND" else None
        last = only_reader(model.operators[middle]) if middle is not None else None
        if middle is None or last is None or not first < middle < last:
            continue
        joined = _joined(model, spread, model.operators[middle], model.operators[last])
        if joined is not None:
            operators[middle] = joined
            del operators[first], operators[last]
    return operators


def _joined(
    model: TfliteModel, spread: Operator, convolution: Operator, gathered: Operator
) -> Operator | None:
    """The three as one; None where they are no dilated convolution."""
    lengths = (len(spread.inputs), len(gathered.inputs)) == (3, 3)
    if not lengths or not _is_plain(convolution) or gathered.name != "BATCH_TO_SPACE_ND":
        return None
    if convolution.inputs[0] != spread.outputs[0] or gathered.inputs[0] != convolution.outputs[0]:
        return None
    blocks, borders = _constant(model, spread.inputs[1]), _constant(model, spread.inputs[2])
    again, crops = _constant(model, gathered.inputs[1]), _constant(model, gathered.inputs[2])
    if any(a is None for a in (blocks, borders, again, crops)):
        return None
    assert blocks is not None and borders is not None and again is not None and crops is not None
    if blocks.shape != (2,) or borders.shape != (2, 2) or crops.shape != (2, 2):
        return None
    pads = borders.astype(np.int64) - crops
    if not np.array_equal(blocks, again) or pads.min() < 0 or blocks.min() < 1:
        return None
    if not _alike(model, spread) or not _alike(model, gathered):
        return None
    atrous = Atrous((int(blocks[0]), int(blocks[1])), tuple(map(int, pads.T.reshape(-1))))
    inputs = (spread.inputs[0], *convolution.inputs[1:])
    return replace(convolution, inputs=inputs, outputs=gathered.outputs, atrous=atrous)


def _is_plain(operator: Operator) -> bool:
    """Whether it is a convolution without steps, dilation and padding of its own."""
    options = operator.options
    if operator.name not in _CONVOLUTIONS or not hasattr(options, "DilationHFactor"):
        return False
    numbers = (options.StrideH(), options.StrideW(), options.DilationHFactor(),
               options.DilationWFactor())  # fmt: skip
    return bool(numbers == (1, 1, 1, 1) and options.Padding() == Padding.VALID)


def _constant(model: TfliteModel, number: int) -> np.ndarray | None:
    """The integers of a small constant."""
    tensor = model.tensors[number] if number >= 0 else None
    if tensor is None or not tensor.data.size or np.prod(tensor.shape) > 4:
        return None
    return stored_values(model.file, tensor) if dtype_of(tensor.type) == "int32" else None


def _alike(model: TfliteModel, operator: Operator) -> bool:
    """Whether an operator's result is stored as what it reads is."""

    def grid(number: int) -> Sequence[float]:
        quantization = model.tensors[number].quantization
        if quantization is None:
            return ()
        return (*quantization.scales.tolist(), *quantization.zero_points.tolist())

    return grid(operator.inputs[0]) == grid(operator.outputs[0])
