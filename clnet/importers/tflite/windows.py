"""Strides, dilations and padding of convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clnet.errors import ModelError
from clnet.importers.tflite.node import TfliteNode


@dataclass(frozen=True)
class Window:
    """How a kernel walks over height and width. ``pads``: both begins, then both ends."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, ...]


def read_window(node: TfliteNode, kernel: Sequence[int], size: Sequence[int]) -> Window:
    """The window of an operator for a kernel over an image of ``size``."""
    strides = (node.option("StrideH"), node.option("StrideW"))
    atrous = node.operator.atrous
    if atrous is not None:
        return Window((kernel[0], kernel[1]), strides, atrous.dilations, atrous.pads)
    dilated = hasattr(node.operator.options, "DilationHFactor")
    dilations = (
        (node.option("DilationHFactor"), node.option("DilationWFactor")) if dilated else (1, 1)
    )
    is_same = node.choice("Padding", ("SAME", "VALID")) == "SAME"
    return window_over(size, kernel, strides, is_same, dilations)


def window_over(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: tuple[int, int],
    is_same: bool,
    dilations: tuple[int, int] = (1, 1),
) -> Window:
    """SAME pads so that there are ceil(size / stride) positions, of an odd padding the larger half
    behind the image; VALID does not pad."""
    if min(*strides, *dilations, *kernel) < 1:
        raise ModelError(f"kernel {list(kernel)}, strides {list(strides)} and dilations "
                         f"{list(dilations)} must be positive")  # fmt: skip
    totals = [0, 0]
    if is_same:
        totals = [
            max(0, (-(-size[i] // strides[i]) - 1) * strides[i]
                + (kernel[i] - 1) * dilations[i] + 1 - size[i])
            for i in range(2)
        ]  # fmt: skip
    begins = (totals[0] // 2, totals[1] // 2)
    pads = (*begins, totals[0] - begins[0], totals[1] - begins[1])
    return Window((kernel[0], kernel[1]), strides, dilations, pads)
