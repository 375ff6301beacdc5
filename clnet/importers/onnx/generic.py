"""Converters for ops whose attributes only need other names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from onnx import defs

from clnet.errors import ModelError
from clnet.importers.onnx import converters  # noqa: F401  (registers them)
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import Converter, find_converter
from clnet.ops import spelled
from clnet.ops.elementwise import elementwise
from clnet.ops.functions import FUNCTIONS


def converter_for(domain: str, op_type: str) -> Converter | None:
    """A converter written for the op, else one for its spelling or its row of the table."""
    own = find_converter(domain, op_type)
    if own is not None or domain:
        return own
    if op_type in spelled("onnx"):
        return _by_spelling
    return _by_table if op_type in FUNCTIONS and defs.has(op_type) else None


def _by_spelling(node: OnnxNode) -> Any:
    """An op whose attributes only need other names."""
    cls, names = spelled("onnx")[node.op_type]
    readers: dict[Any, Callable[[str], Any]] = {
        "int": node.integer, "float": node.real, "bool": node.flag, "tuple[int, ...]": node.integers
    }  # fmt: skip
    types = {f.name: f.type for f in fields(cls)}
    given = {
        own: readers[types[own]](foreign)
        for foreign, own in names.items()
        if node.has_attribute(foreign)
    }
    return node.add(cls(**given), *node.inputs)


def _by_table(node: OnnxNode) -> Any:
    """A row of the table of elementwise functions."""
    row = FUNCTIONS[node.op_type]
    if len(node.inputs) != row.arity:
        raise ModelError(f"{len(node.inputs)} inputs instead of {row.arity}")
    params = {
        own: (node.integer if isinstance(row.params[own], int) else node.real)(foreign)
        for foreign, own in row.onnx.items()
        if node.has_attribute(foreign)
    }
    return node.add(elementwise(node.op_type, **params), *(node.input(i) for i in range(row.arity)))
