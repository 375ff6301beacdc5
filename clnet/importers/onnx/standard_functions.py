"""Ops that ONNX itself defines as a function of other ops: they need no converter of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import FunctionProto, NodeProto, TypeProto, defs, helper

from clnet.errors import ModelError
from clnet.graph import Value


def _schema(domain: str, op_type: str, opset: int) -> Any:  # its stubs are incomplete
    try:
        return defs.get_schema(op_type, opset, domain)
    except defs.SchemaError:
        return None


def has_standard_function(domain: str, op_type: str, opset: int) -> bool:
    """Whether ONNX says how the op is made of others."""
    schema = _schema(domain, op_type, opset)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def standard_function(
    node: NodeProto, opset: int, inputs: Sequence[Value | None]
) -> FunctionProto | None:
    """ONNX's own definition of the node, or None. It may depend on attributes and input types."""
    schema = _schema("" if node.domain == "ai.onnx" else node.domain, node.op_type, opset)
    if schema is None:
        return None
    plain = [v for v in schema.function_opset_versions if v <= opset]
    dependent = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
    function = FunctionProto()
    try:
        if dependent:
            types = [_type_of(value).SerializeToString() for value in inputs]
            body = schema.get_context_dependent_function_with_opset_version(
                max(dependent), node.SerializeToString(), types
            )
        elif plain:
            body = schema.get_function_with_opset_version(max(plain))
        else:
            return None
    except (RuntimeError, ValueError, IndexError) as error:
        raise ModelError(f"ONNX has no definition for it: {error}") from error
    function.ParseFromString(body)
    del function.attribute_proto[:]
    function.attribute_proto.extend(
        a.default_value for a in schema.attributes.values() if a.default_value.name
    )
    return function


def _type_of(value: Value | None) -> TypeProto:
    if value is None:
        return TypeProto()
    element = helper.np_dtype_to_tensor_dtype(np.dtype(value.spec.dtype))
    return helper.make_tensor_type_proto(element, value.spec.shape)
