"""CaffeLayer: checked access to a layer's bottoms, parameters and weights while it is converted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clnet.errors import ModelError, ShapeError, UnsupportedError
from clnet.graph import GraphBuilder, Value
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.network import Layer
from clnet.importers.caffe.weights import Weights
from clnet.ops.elementwise import elementwise
from clnet.ops.reshape import Reshape

#: The bytes of all tensors of a net together: no board comes near, and sums stay meaningful.
MAX_TENSOR_BYTES = 1 << 37
#: Elements of one tensor: kernels count them with 32 bits.
MAX_ELEMENTS = (1 << 31) - 1


class Building:
    """What the layers of one net share: the graph so far, the weights, and who owns shared ones."""

    def __init__(self, name: str, weights: Weights, training: bool = False) -> None:
        self.build = GraphBuilder(name)
        self.weights, self.training = weights, training
        self._owners: dict[str, tuple[str, int]] = {}
        self._bytes = 0

    def add(self, op: Any, inputs: Sequence[Value | None], label: str) -> Any:
        """Append one of clnet's ops."""
        result = self.build.add(op, *inputs, name=label)
        made = result if isinstance(result, tuple) else (result,)
        self.account(*(v for v in made if not v.is_constant))
        return result

    def account(self, *values: Value) -> None:
        """Count the memory of values. Raises ModelError where it becomes absurd."""
        for value in values:
            if value.spec.size > MAX_ELEMENTS:
                raise ModelError(f"a tensor {value.spec} has more than {MAX_ELEMENTS} elements")
        self._bytes += sum(v.spec.nbytes for v in values)
        if self._bytes > MAX_TENSOR_BYTES:
            raise ModelError(f"its tensors exceed {MAX_TENSOR_BYTES >> 30} GiB")

    def owner(self, layer: Layer, index: int) -> tuple[str, int]:
        """Which layer's blob this is: layers whose ``param`` has the same name share it. A file
        has a copy for each, but tools may leave all but the first out."""
        params = layer.fields.messages("param")
        name = params[index].text("name", "") if index < len(params) else ""
        return self._owners.setdefault(name, (layer.name, index)) if name else (layer.name, index)


class CaffeLayer:
    """A layer with its bottoms as values."""

    def __init__(self, building: Building, layer: Layer, bottoms: Sequence[Value]) -> None:
        self.building, self.layer = building, layer
        self.type, self.bottoms = layer.type, list(bottoms)
        self._params: list[Message] = []

    def bottom(self, index: int = 0) -> Value:
        """Bottom ``index``."""
        if index >= len(self.bottoms):
            raise ModelError(f"it has {len(self.bottoms)} bottoms and needs {index + 1}")
        return self.bottoms[index]

    def only(self, rank: int = 0) -> Value:
        """The one bottom, of at least ``rank`` dimensions."""
        if len(self.bottoms) != 1:
            raise ModelError(f"it has {len(self.bottoms)} bottoms instead of one")
        return self.of_rank(rank)

    def of_rank(self, rank: int, index: int = 0) -> Value:
        """Bottom ``index``, of at least ``rank`` dimensions."""
        x = self.bottom(index)
        if x.spec.rank < rank:
            raise ShapeError(f"bottom {index} is {list(x.spec.shape)}: {rank} dimensions at least")
        return x

    def param(self, *names: str) -> Message:
        """The layer's parameters, by the first of the names that is there; else empty ones."""
        given = [n for n in names if self.layer.fields.has(n)]
        param = self.layer.fields.message(given[0] if given else names[0])
        self._params.append(param)
        return param

    def refuse_unread(self) -> None:
        """Raise UnsupportedError for a parameter that no converter looked at: a fork's own, or one
        that is misspelt. Fields of the layer itself may be what they like."""
        for param in self._params:
            for field in param.unread():
                raise UnsupportedError(f"the parameter {field} is not known")

    def axis(self, param: Message, field: str = "axis", default: int = 1) -> int:
        """An axis of the first bottom, counted from the front."""
        rank = self.bottom().spec.rank
        axis = param.integer(field, default)
        if not -rank <= axis < rank:
            raise ModelError(f"{param.name}.{field} is {axis}, but there are {rank} dimensions")
        return axis % rank

    def blob(self, index: int, shape: Sequence[int]) -> Value:
        """Weights ``index`` in ``shape``."""
        array = np.asarray(self.array(index, shape), np.float32)
        return self.building.build.constant(array, f"{self.layer.name}.{_blob_name(index)}")

    def array(self, index: int, shape: Sequence[int]) -> np.ndarray:
        """The values of weights ``index`` in ``shape``, float32."""
        name, number = self.building.owner(self.layer, index)
        return self.building.weights.blob(name, number, tuple(shape))

    def constant(self, values: Any, dtype: str = "float32") -> Value:
        """A value known now."""
        return self.building.build.constant(np.asarray(values, dtype))

    def add(self, op: Any, *inputs: Value | None) -> Any:
        """Apply one of clnet's ops."""
        return self.building.add(op, inputs, self.layer.label)

    def apply(self, function: str, *inputs: Value, **params: float) -> Value:
        """Apply an elementwise function of the table."""
        result: Value = self.add(elementwise(function, **params), *inputs)
        return result

    def reshaped(self, x: Value, shape: Sequence[int]) -> Value:
        """``x`` in another shape; itself where it has that shape already."""
        result: Value = x if x.spec.shape == tuple(shape) else self.add(Reshape(tuple(shape)), x)
        return result

    def each(self, convert: Callable[[Value], Value]) -> tuple[Value, ...]:
        """Every bottom converted alike, to a top of its own."""
        return tuple(convert(self.of_rank(0, i)) for i in range(max(1, len(self.bottoms))))

    def alike(self, *shapes: tuple[int, ...]) -> None:
        """Raise ShapeError unless all shapes are the same."""
        if len(set(shapes)) > 1:
            raise ShapeError(f"bottoms of shapes {' and '.join(str(list(s)) for s in shapes)} "
                             "do not fit together")  # fmt: skip


def _blob_name(index: int) -> str:
    """What people call a layer's weights ``index``."""
    return ("weight", "bias")[index] if index < 2 else str(index)
