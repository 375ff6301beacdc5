"""The same elements under another shape."""

from __future__ import annotations

import math
from typing import Any

from clnet.errors import ModelError
from clnet.importers.tflite.node import TfliteNode, normalized
from clnet.importers.tflite.registry import converter
from clnet.ops.reshape import Reshape


@converter("RESHAPE", linear=(0,), exact=True)
def reshape(node: TfliteNode) -> Any:
    """The shape is input 1 or an option; -1 is what is left."""
    x = node.input()
    wanted = list(node.integers_of(1) if node.has(1) else node.integers_option("NewShape"))
    if wanted.count(-1) == 1:
        others = math.prod(d for d in wanted if d != -1)
        if others <= 0 or x.spec.size % others:
            raise ModelError(f"cannot reshape {x.spec} to {wanted}")
        wanted[wanted.index(-1)] = x.spec.size // others
    return node.add(Reshape(tuple(wanted)), x)


@converter("SQUEEZE", linear=(0,), exact=True)
def squeeze(node: TfliteNode) -> Any:
    x = node.input()
    shape = x.spec.shape
    axes = {normalized(a, len(shape)) for a in node.integers_option("SqueezeDims")}
    axes = axes or {a for a, d in enumerate(shape) if d == 1}
    if any(shape[a] != 1 for a in axes):
        raise ModelError(f"cannot drop the axes {sorted(axes)} of {x.spec}")
    return node.add(Reshape(tuple(d for a, d in enumerate(shape) if a not in axes)), x)


@converter("EXPAND_DIMS", linear=(0,), exact=True)
def expand_dims(node: TfliteNode) -> Any:
    x = node.input()
    axis = normalized(int(node.scalar(1)), x.spec.rank + 1)
    return node.add(Reshape((*x.spec.shape[:axis], 1, *x.spec.shape[axis:])), x)
