"""The table of spellings. Each says one kind of node in ONNX's ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clnet.ops import Op

if TYPE_CHECKING:
    from clnet.exporters.onnx.writer import NodeWriter

#: Adds ONNX nodes for one of clnet's, and returns the name of each of its outputs.
Spell = Callable[["NodeWriter"], "str | tuple[str, ...]"]

_SPELLINGS: dict[type[Op], Spell] = {}


def spelling(*ops: type[Op]) -> Callable[[Spell], Spell]:
    """Decorator: the function spells nodes of these ops."""

    def add(function: Spell) -> Spell:
        _SPELLINGS.update(dict.fromkeys(ops, function))
        return function

    return add


def find_spelling(op: type[Op]) -> Spell | None:
    """The function that spells an op, or None."""
    return _SPELLINGS.get(op)
