"""Which function converts which op."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clnet.graph import Value

if TYPE_CHECKING:
    from clnet.importers.onnx.node import OnnxNode

#: Gives the node's outputs; None for an optional output that nobody asked for.
Converter = Callable[["OnnxNode"], "Value | tuple[Value | None, ...]"]

MICROSOFT = "com.microsoft"
_CONVERTERS: dict[tuple[str, str], Converter] = {}


def converter(*op_types: str, domain: str = "") -> Callable[[Converter], Converter]:
    """Decorator: the function converts nodes of these types."""

    def add(function: Converter) -> Converter:
        for op_type in op_types:
            _CONVERTERS[domain, op_type] = function
        return function

    return add


def find_converter(domain: str, op_type: str) -> Converter | None:
    """The converter for a type of node, or None."""
    return _CONVERTERS.get((domain, op_type))
