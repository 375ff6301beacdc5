"""Branches whose condition is known."""

from __future__ import annotations

from typing import Any

from clnet.errors import ModelError
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter


@converter("If")
def branch(node: OnnxNode) -> Any:
    taken = "then_branch" if node.scalar(0) else "else_branch"
    outputs = node.importer.branch(node.graph(taken), node.scope)
    if len(outputs) != len(node.outputs):
        raise ModelError(f"{taken} has {len(outputs)} outputs, the node {len(node.outputs)}")
    return tuple(outputs)
