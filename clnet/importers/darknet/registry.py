"""Which function converts which type of layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clnet.graph import Value

if TYPE_CHECKING:
    from clnet.importers.darknet.layer import Layer

#: Adds a layer's nodes and returns its output.
Converter = Callable[["Layer"], Value]

CONVERTERS: dict[str, Converter] = {}
#: Decoders of boxes: their output is not what Darknet's next layer would read.
DETECTORS: set[str] = set()


def converter(*kinds: str, detects: bool = False) -> Callable[[Converter], Converter]:
    """Decorator: registers a function for the types of sections ``kinds``, all synonyms."""

    def add(function: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(kinds, function))
        if detects:
            DETECTORS.update(kinds)
        return function

    return add
