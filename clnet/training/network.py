"""What a Trainer trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from clnet.graph import GraphBuilder, Value


class Network(Protocol):
    """A network whose weights are named: a Sequential, or anything that builds a graph alike."""

    input_shape: tuple[int, ...]  #: of one sample
    output_shape: tuple[int, ...]  #: of one sample
    parameters: dict[str, np.ndarray]  #: first values of the weights, float32

    def apply(self, build: GraphBuilder, x: Value, parameters: Mapping[str, Value]) -> Value:
        """Append the network behind ``x`` [N, *input_shape]; returns its output."""
