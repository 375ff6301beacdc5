"""OnnxNode: checked access to a node's inputs and attributes while it is converted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import AttributeProto, GraphProto

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.onnx.tensors import dtype_of

if TYPE_CHECKING:
    from clnet.importers.onnx.importer import Importer, Scope

_A = AttributeProto
_FIELDS = {
    _A.INT: "i", _A.FLOAT: "f", _A.STRING: "s", _A.TENSOR: "t", _A.GRAPH: "g",
    _A.INTS: "ints", _A.FLOATS: "floats", _A.STRINGS: "strings",
}  # fmt: skip


class OnnxNode:
    """A node with its inputs as values. Whatever is missing or of a wrong type is a ModelError.

    ``opset`` is the version of the node's own domain.
    """

    def __init__(
        self,
        importer: Importer,
        scope: Scope,
        op_type: str,
        label: str,
        opset: int,
        inputs: Sequence[Value | None],
        outputs: Sequence[str],
        attributes: Mapping[str, AttributeProto],
    ) -> None:
        self.importer, self.scope = importer, scope
        self.op_type, self.label, self.opset = op_type, label, opset
        self.inputs, self.outputs = list(inputs), list(outputs)
        self._attributes = attributes

    def has(self, index: int) -> bool:
        """Whether optional input ``index`` is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def input(self, index: int = 0) -> Value:
        """Input ``index``."""
        value = self.optional(index)
        if value is None:
            raise ModelError(f"input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        """Input ``index``, or None where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def all_inputs(self) -> list[Value]:
        """The inputs of an op that takes any number of them, but at least one."""
        return [self.input(i) for i in range(max(1, len(self.inputs)))]

    def wants(self, output: int) -> bool:
        """Whether anybody may read output ``output``."""
        return output < len(self.outputs) and self.outputs[output] != ""

    def array(self, index: int) -> np.ndarray:
        """The values of input ``index``, which must be known by now."""
        return self.importer.known(self.input(index), f"input {index}")

    def integers_of(self, index: int) -> tuple[int, ...]:
        """A short list of integers (a shape, axes…) in input ``index``."""
        values = self.array(index)
        if values.ndim > 1 or values.size > 64 or not np.issubdtype(values.dtype, np.integer):
            raise ModelError(f"input {index} is {values.dtype}{list(values.shape)}, not a list")
        return tuple(int(v) for v in values.reshape(-1))

    def reals_of(self, index: int) -> tuple[float, ...]:
        """A short list of numbers in input ``index``."""
        values = self.array(index)
        if values.ndim > 1 or values.size > 64 or values.dtype == bool:
            raise ModelError(f"input {index} is {values.dtype}{list(values.shape)}, not a list")
        return tuple(float(v) for v in values.reshape(-1))

    def scalar(self, index: int) -> Any:
        """The only value of input ``index``, as a Python number."""
        values = self.array(index)
        if values.size != 1:
            raise ModelError(f"input {index} has {values.size} values instead of one")
        return values.reshape(-1)[0].item()

    def has_attribute(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self._attributes

    def _typed(self, name: str, default: Any, kind: AttributeProto.AttributeType, what: str) -> Any:
        if name not in self._attributes:
            if default is None:
                raise ModelError(f"attribute {name} is missing")
            return default
        attribute = self._attributes[name]
        if attribute.type != kind:
            raise ModelError(f"attribute {name} is not {what}")
        return getattr(attribute, _FIELDS[kind])

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute. Without a default it must be there, like all that follow."""
        return int(self._typed(name, default, _A.INT, "an integer"))

    def flag(self, name: str, default: bool = False) -> bool:
        """An integer attribute that says yes or no."""
        return bool(self.integer(name, int(default)))

    def real(self, name: str, default: float | None = None) -> float:
        """A floating-point attribute."""
        return float(self._typed(name, default, _A.FLOAT, "a number"))

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """A list of integers."""
        return tuple(self._typed(name, default, _A.INTS, "a list of integers"))

    def reals(self, name: str, default: Sequence[float] | None = None) -> tuple[float, ...]:
        """A list of numbers."""
        return tuple(self._typed(name, default, _A.FLOATS, "a list of numbers"))

    def text(self, name: str, default: str, *choices: str) -> str:
        """A string attribute: ``default`` or one of ``choices``."""
        given = self.any_text(name, default)
        if given not in (default, *choices):
            known = ", ".join((default, *choices))
            raise UnsupportedError(f"{name} {given[:40]!r} is not one of {known}")
        return given

    def any_text(self, name: str, default: str | None = None) -> str:
        """A string attribute."""
        given = None if default is None else default.encode()
        return bytes(self._typed(name, given, _A.STRING, "a string")).decode("utf-8", "replace")

    def texts(self, name: str, default: Sequence[str]) -> tuple[str, ...]:
        """A list of strings."""
        values = self._typed(name, [t.encode() for t in default], _A.STRINGS, "a list of strings")
        return tuple(bytes(v).decode("utf-8", "replace") for v in values)

    def tensor(self, name: str) -> np.ndarray:
        """The values of a tensor attribute."""
        return self.importer.read(self._typed(name, None, _A.TENSOR, "a tensor"))

    def tensor_element(self, name: str) -> int:
        """The element type of a tensor attribute."""
        return int(self._typed(name, None, _A.TENSOR, "a tensor").data_type)

    def graph(self, name: str) -> GraphProto:
        """A subgraph."""
        graph: GraphProto = self._typed(name, None, _A.GRAPH, "a graph")
        return graph

    def dtype(self, name: str, default: str | None = None) -> str:
        """An attribute that names an element type, as a dtype."""
        if default is not None and name not in self._attributes:
            return default
        return dtype_of(self.integer(name))

    def element_of(self, value: Value) -> int:
        """ONNX's element type of a value."""
        return self.importer.element_of(value)

    def axis(self, name: str, default: int | None, rank: int) -> int:
        """An axis attribute as a number from 0 on."""
        return normalized(self.integer(name, default), rank)

    def integers_at(self, name: str, index: int, since: int) -> tuple[int, ...] | None:
        """Integers that are an attribute before opset ``since`` and input ``index`` from it on."""
        if self.opset < since:
            return self.integers(name) if self.has_attribute(name) else None
        return self.integers_of(index) if self.has(index) else None

    def add(self, op: Any, *inputs: Value | None) -> Any:
        """Apply one of clnet's ops."""
        return self.importer.add(op, inputs, self.label)

    def constant(self, values: Any, dtype: str | None = None) -> Value:
        """A value known now."""
        return self.importer.build.constant(np.asarray(values, dtype))


def normalized(axis: int, rank: int) -> int:
    """An axis counted from 0. Raises ModelError where the tensor has no such axis."""
    if not -rank <= axis < max(1, rank):
        raise ModelError(f"axis {axis} of a tensor of rank {rank}")
    return axis % max(1, rank)
