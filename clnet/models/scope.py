"""Scope: what a layer is given to append itself to a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from clnet.errors import ModelError
from clnet.graph import GraphBuilder, Value

#: (generator, shape) -> float32 array. Axis 0 of a weight is its output, axis 1 its input, and
#: the rest the taps of a kernel.
Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


class Weights(Protocol):
    """Where a network's weights come from, by their full names."""

    def take(
        self, name: str, shape: tuple[int, ...], initializer: Initializer, trained: bool
    ) -> Value:
        """The weight ``name``; ``initializer`` makes it the first time. What is not ``trained`` is
        kept beside the others, such as a running mean."""


@dataclass(frozen=True)
class Present:
    """The weights that a network has already."""

    values: Mapping[str, Value]

    def take(
        self, name: str, shape: tuple[int, ...], initializer: Initializer, trained: bool
    ) -> Value:
        if name not in self.values:
            raise ModelError(f"the network has no weight {name}")
        return self.values[name]


@dataclass(frozen=True)
class Scope:
    """One layer's view of the graph that is being built. ``first`` holds weights that were made
    before, by their names within ``base``: initializers are not asked for these."""

    build: GraphBuilder
    weights: Weights
    name: str = ""
    first: Mapping[str, np.ndarray] = field(default_factory=dict)
    base: str = ""
    _nodes: dict[str, int] = field(default_factory=dict, repr=False)  # how many each layer has

    def inside(self, name: str) -> Scope:
        """The scope of a layer within this one."""
        return replace(self, name=self.full(name))

    def holding(self, first: Mapping[str, np.ndarray]) -> Scope:
        """The same scope, of a network whose weights are ``first``."""
        return replace(self, first=first, base=self.full(""))

    def add(self, op: Any, *inputs: Value | None) -> Any:
        """Append a node, named after the layer; its output, or a tuple of several."""
        number = self._nodes[self.name] = self._nodes.get(self.name, 0) + 1
        name = self.name if number == 1 else f"{self.name}:{number}"
        return self.build.add(op, *inputs, name=name or None)

    def parameter(
        self, name: str, shape: tuple[int, ...], initializer: Initializer, trained: bool = True
    ) -> Value:
        """This layer's weight ``name``; see Weights."""
        full = self.full(name)
        made = self.first.get(full.removeprefix(self.base))
        if made is None:
            return self.weights.take(full, shape, initializer, trained)
        return self.weights.take(full, shape, lambda rng, shape: made, trained)

    def full(self, name: str) -> str:
        """What this layer calls ``name``, as the whole network calls it."""
        return f"{self.name}.{name}" if self.name else name
