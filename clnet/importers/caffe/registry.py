"""Which function converts which type of layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clnet.graph import Value

if TYPE_CHECKING:
    from clnet.importers.caffe.layer import CaffeLayer

#: Gives the layer's tops in order.
Converter = Callable[["CaffeLayer"], "Value | tuple[Value, ...]"]

CONVERTERS: dict[str, Converter] = {}


def converter(*types: str) -> Callable[[Converter], Converter]:
    """Decorator: the function converts layers of these types."""

    def add(function: Converter) -> Converter:
        for name in types:
            CONVERTERS[name] = function
        return function

    return add
