"""What a Trainer trains."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

import numpy as np

from clnet.graph import GraphBuilder, Value


class Network(Protocol):
    """A network whose weights are named: a Sequential, or anything that builds a graph alike.

    It describes itself as it predicts; training turns dropouts on by itself.
    """

    input_shape: tuple[int, ...]  #: of one sample
    output_shape: tuple[int, ...]  #: of one sample
    parameters: dict[str, np.ndarray]  #: first values of the weights, float32

    @property
    def frozen(self) -> Set[str]:
        """Names of parameters that no gradient moves."""

    def apply(self, build: GraphBuilder, x: Value, parameters: Mapping[str, Value]) -> Value:
        """Append the network behind ``x`` [N, *input_shape]; returns its output."""
