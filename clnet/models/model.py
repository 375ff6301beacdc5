"""Model and Sequential: networks described layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clnet.errors import InputError, ModelError
from clnet.graph import GraphBuilder, Value
from clnet.models.layers import Input, Layer, Named, Tensor
from clnet.models.network import TrainableNetwork
from clnet.models.scope import Initializer, Scope


class Model(TrainableNetwork):
    """The network between two Tensors: from ``x``, an Input, to ``y``.

    Parameters are named like "conv1.weight", and first the same for the same ``seed``. Raises
    ModelError naming the layer that does not fit the one before it.
    """

    def __init__(self, x: Tensor, y: Tensor, seed: int = 0) -> None:
        self._x, self._y, self._names = x, y, _names(_in_order(x, y))
        self.input_shape = x.shape
        self.parameters: dict[str, np.ndarray] = {}
        self._fixed = self.frozen = frozenset()
        build = GraphBuilder("shapes")
        making = _Making(self, build, np.random.default_rng(seed))
        output = self.append(Scope(build, making), build.input("x", (1, *self.input_shape)))
        self.output_shape = output.spec.shape[1:]
        for tensor, name in self._names.items():
            layer = tensor.layer.layer if isinstance(tensor.layer, Named) else tensor.layer
            if isinstance(layer, TrainableNetwork):  # what is frozen there stays so
                self.frozen |= {f"{name}.{inner}" for inner in layer.frozen}

    def append(self, scope: Scope, *inputs: Value) -> Value:
        """The network as a layer of another."""
        scope = scope.holding(self.parameters)
        values = dict(zip([self._x], inputs, strict=True))
        for tensor, name in self._names.items():
            assert tensor.layer is not None
            try:
                operands = [values[t] for t in tensor.inputs]
                values[tensor] = tensor.layer.append(scope.inside(name), *operands)
            except ModelError as error:
                raise type(error)(error.reason, file=error.file, node=scope.full(name)) from error
        return values[self._y]


class Sequential(Model):
    """Layers in order, each fed by the one before, for samples of ``input_shape`` (without the
    batch)."""

    def __init__(self, layers: Sequence[Layer], input_shape: Sequence[int], seed: int = 0) -> None:
        x = y = Input(input_shape)
        for layer in layers:
            y = layer(y)
        super().__init__(x, y, seed)


@dataclass(frozen=True)
class _Making:
    """Makes the weights of a model, which has none yet."""

    model: Model
    build: GraphBuilder
    rng: np.random.Generator

    def take(
        self, name: str, shape: tuple[int, ...], initializer: Initializer, trained: bool
    ) -> Value:
        array = np.asarray(initializer(self.rng, shape))
        if array.shape != shape or array.dtype != np.float32:
            raise InputError(f"{name} was made {array.dtype} {list(array.shape)}, not float32"
                             f" {list(shape)}")  # fmt: skip
        self.model.parameters[name] = array
        if not trained:
            self.model.keep(name)
        return self.build.input(name, shape)


def _in_order(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """What layers give on the way from ``x`` to ``y``, each behind what it is made of."""
    done = {x}
    waiting = [y]
    while waiting:
        tensor = waiting[-1]
        if tensor.layer is None and tensor is not x:
            raise InputError("the network reads an Input other than its own")
        missing = [t for t in tensor.inputs if t not in done]
        if missing and tensor not in done:
            waiting += reversed(missing)
            continue
        waiting.pop()
        if tensor not in done:
            done.add(tensor)
            yield tensor


def _names(tensors: Iterator[Tensor]) -> dict[Tensor, str]:
    """The name of every layer: its own, or its kind and a number."""
    names: dict[Tensor, str] = {}
    counts: dict[str, int] = {}
    for tensor in tensors:
        assert tensor.layer is not None
        if isinstance(tensor.layer, Named):
            name = tensor.layer.name
        else:
            kind = tensor.layer.kind
            counts[kind] = counts.get(kind, 0) + 1
            name = f"{kind}{counts[kind]}"
        if name in names.values():
            raise InputError(f"two layers are named {name!r}")
        names[tensor] = name
    return names
