"""Writes a graph as an ONNX model."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from clnet.errors import InputError, UnsupportedError
from clnet.exporters.spellings import SPECIAL, Spelling
from clnet.graph import Graph, Node, Value
from clnet.ops.expression import Expression

#: The first opset in which everything written here means what it means now.
OPSET = 17


def write_onnx(graph: Graph, path: str | PathLike[str]) -> None:
    """Write ``graph`` to a file. Raises UnsupportedError naming the node that ONNX cannot say,
    InputError where the file cannot be written."""
    data = to_onnx(graph).SerializeToString()
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """``graph`` as a checked ONNX model. Constants become initializers; the first dimension of
    inputs and outputs is left open, since no op that is written depends on it."""
    names = _names(graph)
    constants = [v for v in graph.values() if v.is_constant]
    initializers = [numpy_helper.from_array(np.asarray(v.data), names[v]) for v in constants]
    nodes = []
    for node in graph.nodes:
        op_type, attributes, extras = _spelling(node)
        inputs = [names[v] if v is not None else "" for v in node.inputs]
        for i, extra in enumerate(extras):
            inputs.append(f"{node.name}.{i}")
            initializers.append(numpy_helper.from_array(extra, inputs[-1]))
        while inputs and not inputs[-1]:  # optional inputs at the end are left out
            inputs.pop()
        outputs = [names[v] for v in node.outputs]
        nodes.append(helper.make_node(op_type, inputs, outputs, node.name, **attributes))
    model = helper.make_model(
        helper.make_graph(
            nodes,
            graph.name,
            [_described(names[v], v) for v in graph.inputs],
            [_described(name, v) for name, v in graph.outputs.items()],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="clnet",
    )
    model.ir_version = 8  # opset 17's; older readers refuse newer versions
    onnx.checker.check_model(model, full_check=True)
    return model


def _names(graph: Graph) -> dict[Value, str]:
    """A name of its own for every value; outputs are called what the graph calls them."""
    names = {v: name for name, v in graph.outputs.items()}
    taken = set(names.values())
    for value in graph.values():
        if value not in names:
            name, number = value.name, 1
            while name in taken:
                name, number = f"{value.name}_{number}", number + 1
            names[value] = name
            taken.add(name)
    return names


def _described(name: str, value: Value) -> onnx.ValueInfoProto:
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(value.spec.dtype))
    shape: list[str | int | None] = list(value.spec.shape)
    shape[:1] = ["N"] if shape else []
    return helper.make_tensor_value_info(name, dtype, shape)


def _spelling(node: Node) -> Spelling:
    """How ONNX says a node."""
    op = node.op
    if getattr(op, "epilogue", Expression()).steps:
        raise UnsupportedError(f"{op.label} with something fused behind it", node=node.name)
    if type(op) in SPECIAL:
        op_type, attributes, extras = SPECIAL[type(op)](node)
    else:
        ((op_type, fields),) = type(op).spellings.get("onnx", {"": {}}).items()
        attributes = {foreign: getattr(op, own) for foreign, own in fields.items()}
        extras = []
    if not onnx.defs.has(op_type):
        raise UnsupportedError(f"ONNX has no {op.label}", node=node.name)
    known = onnx.defs.get_schema(op_type, OPSET).attributes
    if not set(attributes) <= set(known):
        raise UnsupportedError(f"{op.label}: not written as ONNX yet", node=node.name)
    plain = {k: int(v) if isinstance(v, bool) else v for k, v in attributes.items()}
    return op_type, plain, extras
