"""Sequential: a network as a list of layers, each fed by the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Value
from clnet.models.initializers import Initializer
from clnet.models.layers import Layer, Parameters


class Sequential:
    """Layers in order, for samples of ``input_shape`` (without the batch).

    ``parameters`` holds the first values of all weights by name ("conv1.weight"), the same for
    the same ``seed``. Raises ShapeError naming the layer that does not fit the one before it.
    """

    def __init__(self, layers: Sequence[Layer], input_shape: Sequence[int], seed: int = 0) -> None:
        self.layers, self.input_shape = tuple(layers), tuple(input_shape)
        self.parameters: dict[str, np.ndarray] = {}
        self.frozen: frozenset[str] = frozenset()
        rng = np.random.default_rng(seed)
        build = GraphBuilder("shapes")

        def create(name: str, shape: tuple[int, ...], initializer: Initializer) -> Value:
            self.parameters[name] = initializer(rng, shape)
            return build.input(name, shape)

        output = self._append(build, build.input("x", (1, *self.input_shape)), create)
        self.output_shape = output.spec.shape[1:]

    def apply(self, build: GraphBuilder, x: Value, parameters: Mapping[str, Value]) -> Value:
        """Append the network's nodes behind ``x`` [N, *input_shape]; returns its output."""

        def present(name: str, shape: tuple[int, ...], initializer: Initializer) -> Value:
            return parameters[name]

        return self._append(build, x, present)

    def _append(self, build: GraphBuilder, x: Value, parameters: Parameters) -> Value:
        counts: dict[str, int] = {}
        for layer in self.layers:
            kind = type(layer).__name__.lower()
            counts[kind] = counts.get(kind, 0) + 1
            name = f"{kind}{counts[kind]}"
            try:
                x = layer.apply(build, x, _Scope(name, parameters))
            except ShapeError as error:
                raise ShapeError(error.reason, node=name) from error
        return x


@dataclass(frozen=True)
class _Scope:
    """The parameters of one layer, whose names begin with the layer's."""

    layer: str
    parameters: Parameters

    def __call__(self, name: str, shape: tuple[int, ...], initializer: Initializer) -> Value:
        return self.parameters(f"{self.layer}.{name}", shape, initializer)
