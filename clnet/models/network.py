"""TrainableNetwork: what built and imported networks have in common."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np

from clnet.errors import InputError
from clnet.graph import GraphBuilder, Value
from clnet.models.layers import Layer
from clnet.models.scope import Present, Scope


class TrainableNetwork(Layer):
    """A network of named weights; also a layer of other networks, which then begin with these.

    ``parameters`` holds the weights' first values by name; those in ``frozen`` no gradient moves:
    running means, and what :meth:`freeze` names. Shapes are those of one sample.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: dict[str, np.ndarray]
    frozen: frozenset[str]
    _fixed: frozenset[str]  # those that are never trained

    def apply(self, build: GraphBuilder, x: Value, parameters: Mapping[str, Value]) -> Value:
        """Append the network's nodes behind ``x`` [N, *input_shape]; returns its output."""
        return self.append(Scope(build, Present(parameters)), x)

    def freeze(self, *patterns: str) -> None:
        """Keep the parameters that fit one of ``patterns`` ("conv1.*", "*.bias") as they are.

        Raises InputError for a pattern that fits none.
        """
        self.frozen |= self._matching(patterns)

    def unfreeze(self, *patterns: str) -> None:
        """Train the parameters that fit one of ``patterns`` again."""
        self.frozen -= self._matching(patterns) - self._fixed

    def keep(self, name: str) -> None:
        """Never train a parameter: it is a running mean or the like."""
        self._fixed |= {name}
        self.frozen |= {name}

    def load_state_dict(self, weights: Mapping[str, np.ndarray]) -> None:
        """Begin with ``weights``, as :meth:`clnet.Trainer.state_dict` gives them. Raises InputError
        naming what is missing, too much, or of another shape."""
        missing = self.parameters.keys() - weights.keys()
        unknown = weights.keys() - self.parameters.keys()
        for names, what in ((missing, "lack"), (unknown, "have, but the network does not,")):
            if names:
                raise InputError(f"the weights {what} {', '.join(sorted(names)[:3])}")
        for name, present in self.parameters.items():
            if weights[name].shape != present.shape:
                raise InputError(f"{name} is {list(weights[name].shape)} in the weights,"
                                 f" {list(present.shape)} in the network")  # fmt: skip
        self.parameters = {n: np.array(weights[n], np.float32) for n in self.parameters}

    def _matching(self, patterns: tuple[str, ...]) -> frozenset[str]:
        found: set[str] = set()
        for pattern in patterns:
            fitting = [n for n in self.parameters if fnmatchcase(n, pattern)]
            if not fitting:
                some = ", ".join(list(self.parameters)[:3])
                raise InputError(f"no parameter is named like {pattern!r}; there are {some}, …")
            found.update(fitting)
        return frozenset(found)
