"""Names every kind of node in a model that cannot be converted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnx import FunctionProto, NodeProto

from clnet.errors import UnsupportedError
from clnet.importers.names import shown
from clnet.importers.onnx.generic import converter_for
from clnet.importers.onnx.order import subgraphs
from clnet.importers.onnx.scope import FunctionKey, domain_of, opset_versions
from clnet.importers.onnx.standard_functions import has_standard_function


def refuse_unsupported(
    nodes: Iterable[NodeProto],
    opsets: Mapping[str, int],
    functions: Mapping[FunctionKey, FunctionProto],
) -> None:
    """Raise UnsupportedError for all of them together, those in functions and subgraphs too."""
    missing: dict[FunctionKey, None] = {}
    visited: set[FunctionKey] = set()
    waiting = [(node, opsets) for node in nodes]
    while waiting:
        node, seen = waiting.pop()
        key = (domain_of(node.domain), node.op_type, node.overload)
        if key in functions:
            if key not in visited:
                visited.add(key)
                function = functions[key]
                inner = {**seen, **opset_versions(function.opset_import)}
                waiting += [(n, inner) for n in function.node]
        elif converter_for(*key[:2]) is None and not has_standard_function(
            key[0], node.op_type, seen.get(key[0], 1)
        ):
            missing[key] = None
        waiting += [(n, seen) for graph in subgraphs(node) for n in graph.node]
    if missing:
        raise unsupported(missing)


def unsupported(keys: Iterable[FunctionKey]) -> UnsupportedError:
    """The error that lists these kinds of nodes."""
    names = sorted({shown(f"{domain}.{op}" if domain else op)[1:-1] for domain, op, _ in keys})
    listed = ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
    return UnsupportedError(f"unsupported ops: {listed}")
