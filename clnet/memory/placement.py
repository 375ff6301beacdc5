"""Decides which tensors live inside another's memory, so that copies between them disappear.

A reshape's output lies where its input lies; the inputs of a concatenation are written straight
into their place in the result; a slice along the outermost axis is read where it stands.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["scratch", "input", "output", "constant", "state"]


@dataclass(frozen=True)
class Tensor:
    """What the plan knows of a tensor: its bytes and who owns its memory."""

    nbytes: int
    kind: Kind = "scratch"


@dataclass
class Placements:
    """Tensors by key, and which of them were placed inside another."""

    tensors: dict[Hashable, Tensor]
    align: int
    _parent: dict[Hashable, tuple[Hashable, int]] = field(default_factory=dict)

    def locate(self, key: Hashable) -> tuple[Hashable, int]:
        """The tensor that owns the memory of ``key``, and the byte offset inside it."""
        offset = 0
        while key in self._parent:
            key, step = self._parent[key]
            offset += step
        return key, offset

    def place(self, inner: Hashable, outer: Hashable, offset: int) -> bool:
        """Put ``inner`` inside ``outer`` if memory, ownership and alignment allow it."""
        root, base = self.locate(outer)
        if inner in self._parent or root == inner:
            return False
        if (base + offset) % self.align or not self.tensors[inner].nbytes:
            return False
        kind = self.tensors[inner].kind
        if kind == "scratch":
            self._parent[inner] = (outer, offset)
            return True
        return kind == "output" and self._swallow(inner, root, base + offset)

    def _swallow(self, output: Hashable, root: Hashable, offset: int) -> bool:
        """A graph output owns its memory, so the tensor it views moves into the output."""
        tensor = self.tensors[root]
        same = offset == 0 and tensor.nbytes == self.tensors[output].nbytes
        if not (same and tensor.kind == "scratch"):
            return False
        self._parent[root] = (output, 0)
        return True

    def force(self, inner: Hashable, outer: Hashable, offset: int) -> None:
        """Put ``inner`` inside ``outer`` because an op works in place and cannot do otherwise."""
        assert inner not in self._parent and self.tensors[inner].kind == "scratch", inner
        self._parent[inner] = (outer, offset)
