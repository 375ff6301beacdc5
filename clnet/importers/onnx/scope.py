"""What names mean while a model is read, and which version of the ops they are used with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from onnx import AttributeProto, OperatorSetIdProto, defs

from clnet.errors import UnsupportedError
from clnet.graph import Value

OLDEST_OPSET = 1

#: Initializers: their element types, and how to read them when they are first needed.
Tensors = dict[str, tuple[int, Callable[[], np.ndarray]]]
FunctionKey = tuple[str, str, str]  # domain, name, overload


@dataclass
class Scope:
    """The names that nodes of one graph or function see. ``outer`` is the graph around it."""

    opsets: Mapping[str, int]
    outer: Scope | None = None
    values: dict[str, Value] = field(default_factory=dict)
    tensors: Tensors = field(default_factory=dict)
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    functions: tuple[FunctionKey, ...] = ()  # those being inlined

    def sees(self, name: str) -> bool:
        """Whether the name means something here."""
        inside = name in self.values or name in self.tensors
        return inside or (self.outer is not None and self.outer.sees(name))


def opset_versions(imports: Iterable[OperatorSetIdProto]) -> dict[str, int]:
    """Version by domain. Raises UnsupportedError where nobody knows what it means."""
    opsets = {domain_of(o.domain): int(o.version) for o in imports}
    newest = defs.onnx_opset_version()
    if not OLDEST_OPSET <= opsets.get("", newest) <= newest:
        raise UnsupportedError(f"opset {opsets['']} is not between {OLDEST_OPSET} and {newest}")
    return opsets


def domain_of(name: str) -> str:
    """A domain by its usual name: ONNX's own has two."""
    return "" if name == "ai.onnx" else name
