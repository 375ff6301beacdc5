"""A layer on its way into the graph: its options, input and weights, checked as they are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clnet.errors import ModelError, ShapeError, UnsupportedError
from clnet.graph import GraphBuilder, Value
from clnet.importers.darknet.activation import ACTIVATIONS
from clnet.importers.darknet.cfg import Section
from clnet.importers.darknet.weights import Weights
from clnet.importers.names import shown
from clnet.ops import Op
from clnet.ops.elementwise import elementwise
from clnet.ops.reshape import Reshape

#: Longer images than this exist nowhere; tables for resizing them would fill the memory.
MAX_EXTENT = 1 << 20
#: More than any stride, padding or dilation.
MAX_STEP = 1 << 16
_SHORT = {"convolutional": "conv"}


class Layer:
    """What a converter works with. Values are [N, C, H, W], or [N, inputs] without image.

    ``outputs`` holds what each earlier layer gave, None for boxes, which no layer reads.
    """

    def __init__(
        self,
        section: Section,
        index: int,
        previous: Value | None,
        outputs: Sequence[Value | None],
        build: GraphBuilder,
        weights: Weights,
        input_size: tuple[int, int],
        training: bool = False,
    ) -> None:
        self.options, self.index = section, index
        self.label = f"{_SHORT.get(section.kind, shown(section.kind)[1:-1])}_{index}"
        self.build, self.weights = build, weights
        self.training = training
        self.input_size = input_size  #: height and width of the network's input
        self._previous, self._outputs = previous, outputs
        self._count = 0

    def add(self, op: Op, *inputs: Value | None) -> Any:
        """Add a node; its name is the layer's, with a number from the second one on."""
        self._count += 1
        name = self.label if self._count == 1 else f"{self.label}.{self._count}"
        return self.build.add(op, *inputs, name=name)

    def apply(self, function: str, *inputs: Value, **params: float) -> Value:
        """Add an elementwise function."""
        result: Value = self.add(elementwise(function, **params), *inputs)
        return result

    def constant(self, array: Any, name: str | None = None) -> Value:
        """A constant of float32; weights have a ``name`` within the layer."""
        full = None if name is None else f"{self.label}.{name}"
        return self.build.constant(np.asarray(array, np.float32), full)

    def take(self, what: str, *shape: int) -> np.ndarray:
        """The layer's next weights as an array."""
        if math.prod(shape) == 0:
            raise ShapeError(f"{what} of shape {list(shape)}")
        return self.weights.take(what, *shape)

    def reshape(self, value: Value, *shape: int) -> Value:
        """``value`` in another shape."""
        if value.spec.shape == shape:
            return value
        result: Value = self.add(Reshape(shape), value)
        return result

    @property
    def input(self) -> Value:
        """What the layer before gave."""
        if self._previous is None:
            raise UnsupportedError("reads the boxes of the layer before")
        return self._previous

    @property
    def image(self) -> Value:
        """The input as [N, C, H, W]."""
        return self.as_image(self.input)

    def as_image(self, value: Value) -> Value:
        """``value`` as [N, C, H, W]; what is no image has 1 by 1 pixels."""
        shape = value.spec.shape
        return value if len(shape) == 4 else self.reshape(value, *shape, 1, 1)

    def flat(self, value: Value) -> Value:
        """``value`` as [N, inputs]."""
        return self.reshape(value, value.spec.shape[0], math.prod(value.spec.shape[1:]))

    def earlier(self, key: str) -> list[Value]:
        """The outputs of the layers that an option lists: numbers from 0 on, negative ones relative
        to this layer."""
        numbers = self.options.integers(key)
        if not numbers:
            raise ModelError(f"{key}= names no layers")
        return [self._output(n if n >= 0 else self.index + n) for n in numbers]

    def _output(self, index: int) -> Value:
        if not 0 <= index < len(self._outputs):
            raise ModelError(f"reads layer {index}, which is not one before it")
        value = self._outputs[index]
        if value is None:
            raise UnsupportedError(f"reads the boxes of layer {index}")
        return value

    def strides(self) -> tuple[int, int]:
        """``stride``, or ``stride_y`` and ``stride_x``."""
        stride = self.options.integer("stride", 1, low=1, high=MAX_STEP)
        return (
            self.options.integer("stride_y", stride, low=1, high=MAX_STEP),
            self.options.integer("stride_x", stride, low=1, high=MAX_STEP),
        )

    def activated(self, value: Value, default: str) -> Value:
        """``value`` after the layer's activation."""
        name = self.options.text("activation", default)
        if name not in ACTIVATIONS:
            raise UnsupportedError(f"the activation {shown(name)} is not known")
        return ACTIVATIONS[name](self, value)

    def refuse(self, *keys: str) -> None:
        """Raise UnsupportedError for options that are set and would change the result."""
        for key in keys:
            if self.options.flag(key):
                value = shown(self.options.text(key, ""))[1:-1]
                raise UnsupportedError(f"{key}={value} is not supported")


def check_extent(value: Value) -> Value:
    """``value``, unless it is an absurdly long image. Raises UnsupportedError."""
    if max(value.spec.shape[2:], default=0) > MAX_EXTENT:
        raise UnsupportedError(f"gives {value.spec}, an image of more than {MAX_EXTENT} pixels")
    return value
