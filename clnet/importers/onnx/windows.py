"""Strides, dilations and padding of convolutions and pools, auto_pad included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clnet.errors import ModelError
from clnet.importers.onnx.node import OnnxNode


@dataclass(frozen=True)
class Window:
    """How a kernel walks over the spatial dimensions. ``pads``: all begins, then all ends."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str


def read_window(node: OnnxNode, kernel: Sequence[int], size: Sequence[int]) -> Window:
    """The window of a node for a kernel over an input of spatial ``size``.

    SAME pads so that there are ceil(size / stride) positions; of an odd padding the larger half
    is behind with SAME_UPPER and in front with SAME_LOWER.
    """
    rank = len(size)
    ones = (1,) * rank
    strides, dilations = node.integers("strides", ones), node.integers("dilations", ones)
    auto_pad = node.text("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    pads = node.integers("pads", (0,) * 2 * rank) if auto_pad == "NOTSET" else (0,) * 2 * rank
    for name, values in (("kernel_shape", kernel), ("strides", strides), ("dilations", dilations)):
        if len(values) != rank or any(v < 1 for v in values):
            raise ModelError(f"{name} {list(values)} does not fit {rank} spatial dimensions")
    if len(pads) != 2 * rank:
        raise ModelError(f"pads {list(pads)} do not fit {rank} spatial dimensions")
    if auto_pad.startswith("SAME"):
        totals = [
            max(0, (-(-size[i] // strides[i]) - 1) * strides[i]
                + (kernel[i] - 1) * dilations[i] + 1 - size[i])
            for i in range(rank)
        ]  # fmt: skip
        pads = halves(totals, auto_pad)
    return Window(tuple(kernel), strides, dilations, pads, auto_pad)


def halves(totals: Sequence[int], auto_pad: str) -> tuple[int, ...]:
    """Paddings shared out to the front and the back."""
    small = [t // 2 for t in totals]
    large = [t - t // 2 for t in totals]
    return (*small, *large) if auto_pad == "SAME_UPPER" else (*large, *small)
