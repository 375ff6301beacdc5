"""Layer, and Tensor, which stands for what a layer will give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clnet.errors import InputError
from clnet.graph import Value
from clnet.models.scope import Scope

#: One number for all spatial dimensions, or one each.
Sizes = int | tuple[int, ...]


class Layer:
    """Base of all layers: a description that appends its nodes to a graph.

    Calling a layer with Tensors describes a network of any form::

        x = clnet.Input((3, 32, 32))
        y = Activation("Relu")(Conv(3, 3, padding=1)(x))
        net = clnet.Model(x, x + y)

    Every call is a layer of its own, with weights of its own.
    """

    def append(self, scope: Scope, *inputs: Value) -> Value:
        """Append the layer's nodes behind ``inputs``; returns its output."""
        raise NotImplementedError(type(self).__name__)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What the layer makes of ``inputs``."""
        if not inputs or not all(isinstance(x, Tensor) for x in inputs):
            raise InputError(f"{self.kind} is applied to what is no Tensor; see clnet.Input")
        return Tensor(self, inputs)

    def named(self, name: str) -> Named:
        """The layer under a name of your own instead of "conv1", "conv2"..."""
        return Named(name, self)

    @property
    def kind(self) -> str:
        """What its names begin with."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Named(Layer):
    """A layer whose parameters' names begin with ``name``."""

    name: str
    layer: Layer

    def __post_init__(self) -> None:
        if not self.name or "." in self.name:
            raise InputError(f"a layer cannot be named {self.name!r}")

    def append(self, scope: Scope, *inputs: Value) -> Value:
        return self.layer.append(scope, *inputs)


@dataclass(frozen=True, eq=False)
class Tensor:
    """A place in a network that is being described: the output of ``layer``, or an input."""

    layer: Layer | None
    inputs: tuple[Tensor, ...] = ()
    shape: tuple[int, ...] = ()  #: of an input's samples

    def __add__(self, other: Tensor) -> Tensor:
        from clnet.models.layers.joining import Add

        return Add()(self, other)


def Input(shape: Sequence[int]) -> Tensor:  # noqa: N802  (it reads as a layer)
    """Where a network's samples of ``shape``, without the batch, come in."""
    return Tensor(None, (), tuple(shape))


def each(sizes: Sizes, rank: int) -> tuple[int, ...]:
    """One number for every spatial dimension. Raises InputError where there are others."""
    result = (sizes,) * rank if isinstance(sizes, int) else tuple(sizes)
    if len(result) != rank:
        raise InputError(f"{list(result)} for {rank} spatial dimensions")
    return result
