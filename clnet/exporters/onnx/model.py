"""Puts an ONNX model together: names, inputs and outputs, weights, nodes."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from clnet.errors import InputError, UnsupportedError
from clnet.exporters.onnx.names import Names
from clnet.exporters.onnx.spellings import spell
from clnet.exporters.onnx.writer import OPSET, NodeWriter
from clnet.graph import Graph, Value

#: A protobuf cannot be larger; some of it is not weights.
MAX_BYTES = (1 << 31) - (1 << 24)


def write_onnx(graph: Graph, path: str | PathLike[str], open_batch: bool = False) -> None:
    """Write ``graph`` to a file as :func:`to_onnx` gives it. Raises UnsupportedError naming the
    node that ONNX cannot say, InputError where the file cannot be written."""
    write_model(to_onnx(graph, open_batch), path)


def write_model(model: onnx.ModelProto, path: str | PathLike[str]) -> None:
    """Write an ONNX model to a file. Raises InputError where that cannot be written."""
    data = model.SerializeToString()
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def to_onnx(graph: Graph, open_batch: bool = False) -> onnx.ModelProto:
    """``graph`` as a checked ONNX model. Constants become initializers.

    ``open_batch`` leaves the first dimension of inputs and outputs open: for graphs whose nodes
    treat samples alike, whatever their number. Raises UnsupportedError as :func:`write_onnx`.
    """
    names = Names(graph)
    constants = [v for v in graph.values() if v.is_constant]
    if sum(v.spec.nbytes for v in constants) > MAX_BYTES:
        raise UnsupportedError("more than 2 GiB of weights: an ONNX file cannot hold them")
    initializers = [numpy_helper.from_array(np.asarray(v.data), names[v]) for v in constants]
    nodes: list[NodeProto] = []
    opset = OPSET
    for node in graph.nodes:
        writer = NodeWriter(node, names)
        made = spell(writer)
        writer.finish((made,) if isinstance(made, str) else made)
        nodes += writer.nodes
        initializers += writer.initializers
        opset = max(opset, writer.opset)
    nodes += [
        helper.make_node("Identity", [names[v]], [name], names.fresh_node(name))
        for name, v in graph.outputs.items()
        if names[v] != name
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            graph.name or "model",
            [_described(names[v], v, open_batch) for v in graph.inputs],
            [_described(name, v, open_batch) for name, v in graph.outputs.items()],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        producer_name="clnet",
    )
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UnsupportedError(f"ONNX does not take what it became: {reason}") from error
    return model


def _described(name: str, value: Value, open_batch: bool) -> onnx.ValueInfoProto:
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(value.spec.dtype))
    shape: list[str | int | None] = list(value.spec.shape)
    if value.varies:
        shape = [None] * len(shape)
    elif open_batch and shape:
        shape[0] = "N"
    return helper.make_tensor_value_info(name, dtype, shape)
