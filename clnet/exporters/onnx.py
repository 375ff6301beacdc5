"""Writes a graph as an ONNX model."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from clnet.errors import InputError, UnsupportedError
from clnet.graph import Graph, Node, Value
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.elementwise import Elementwise
from clnet.ops.expression import Expression
from clnet.ops.pooling import AveragePool, MaxPool
from clnet.ops.reshape import Reshape

#: The first opset in which everything written here means what it means now.
OPSET = 17

#: An ONNX op type, its attributes, and constants that follow the node's own inputs.
Spelling = tuple[str, dict[str, Any], list[np.ndarray]]


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
    if type(op) in _SPECIAL:
        op_type, attributes, extras = _SPECIAL[type(op)](node)
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


def _elementwise(node: Node) -> Spelling:
    if len(node.op.expression.steps) != 1:
        raise UnsupportedError(f"{node.op.label}, fused", node=node.name)
    (step,) = node.op.expression.steps
    params = dict(step.params)
    return step.function, {a: params[p] for a, p in step.row.onnx.items()}, []


def _reshape(node: Node) -> Spelling:
    (x,) = node.inputs
    assert x is not None
    shape = node.op.shape
    same_batch = bool(shape and x.spec.shape and shape[0] == x.spec.shape[0])
    if same_batch and len(shape) == 2:
        return "Flatten", {"axis": 1}, []
    return "Reshape", {}, [np.array([0, *shape[1:]] if same_batch else shape, np.int64)]


def _windows(op: Any) -> dict[str, Any]:
    return {"strides": op.strides, "pads": op.pads, "dilations": op.dilations}


def _conv(node: Node) -> Spelling:
    kernel = node.inputs[1]
    assert kernel is not None
    attributes = {"kernel_shape": kernel.spec.shape[2:], "group": node.op.groups}
    if isinstance(node.op, ConvTranspose) and node.op.output_padding:
        attributes["output_padding"] = node.op.output_padding
    return type(node.op).__name__, attributes | _windows(node.op), []


def _pool(node: Node) -> Spelling:
    op = node.op
    attributes = {"kernel_shape": op.kernel, "ceil_mode": op.ceil_mode, **_windows(op)}
    if isinstance(op, MaxPool):
        return "MaxPool", attributes | {"storage_order": op.storage_order}, []
    if set(op.dilations) == {1}:
        del attributes["dilations"]  # which AveragePool has only since opset 19
    return "AveragePool", attributes | {"count_include_pad": op.count_include_pad}, []


_SPECIAL: dict[type, Callable[[Node], Spelling]] = {
    Conv: _conv,
    ConvTranspose: _conv,
    MaxPool: _pool,
    AveragePool: _pool,
    Reshape: _reshape,
    Elementwise: _elementwise,
}
