"""NodeWriter: adds the ONNX nodes that compute what one node of a graph does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from clnet.errors import UnsupportedError
from clnet.exporters.onnx.names import Names
from clnet.graph import Node
from clnet.tensor_spec import TensorSpec

#: What is written means the same in this operator set and in those after it; a newer one is asked
#: for only where a node needs it, for older readers refuse it.
OPSET = 18


class NodeWriter:
    """What a spelling works with: the node's op, the ONNX names of its inputs ("" where an optional
    one is absent), and methods that add ONNX nodes and constants."""

    def __init__(self, node: Node, names: Names) -> None:
        self.node, self.names = node, names
        self.op: Any = node.op
        self.opset = OPSET
        self.inputs = [names[v] if v is not None else "" for v in node.inputs]
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def spec(self, index: int = 0) -> TensorSpec:
        """Shape and dtype of input ``index``."""
        value = self.node.inputs[index]
        assert value is not None
        return value.spec

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output and return that one's name. Attributes that are None are left
        out."""
        (name,) = self.add_several(1, op_type, *inputs, **attributes)
        return name

    def add_several(
        self, outputs: int, op_type: str, *inputs: str, **attributes: Any
    ) -> tuple[str, ...]:
        """Likewise for a node of several outputs."""
        names = tuple(self._name(op_type) for _ in range(outputs))
        given = list(inputs)
        while given and not given[-1]:  # optional inputs at the end are left out
            given.pop()
        plain = {
            k: int(v) if isinstance(v, bool) else v for k, v in attributes.items() if v is not None
        }
        self._append(op_type, given, names, **plain)
        return names

    def constant(self, values: Any, dtype: str = "int64") -> str:
        """The name of a constant."""
        array = np.ascontiguousarray(values, dtype).reshape(np.shape(values))
        name = self._name("constant")
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def cast(self, x: str, dtype: str) -> str:
        """``x`` in another dtype."""
        return self.add("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def require(self, opset: int) -> None:
        """Ask for an operator set that is newer than ``OPSET``."""
        self.opset = max(self.opset, opset)

    def unsupported(self, what: str) -> UnsupportedError:
        """An error that says what ONNX lacks."""
        return UnsupportedError(f"ONNX has no {what}", node=self.node.name)

    def finish(self, made: Sequence[str]) -> None:
        """Let the results be called as the node's outputs."""
        wanted = [self.names[v] for v in self.node.outputs]
        produced = {name for node in self.nodes for name in node.output}
        renamed: dict[str, str] = {}
        for old, new in zip(made, wanted, strict=True):
            if old in produced and old not in renamed:
                renamed[old] = new
            else:  # an input or a constant goes through, or one result is two outputs
                self._append("Identity", [old], [new])
        for node in self.nodes:
            node.input[:] = [renamed.get(name, name) for name in node.input]
            node.output[:] = [renamed.get(name, name) for name in node.output]

    def _append(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        name = self.names.fresh_node(self.node.name or op_type)
        self.nodes.append(helper.make_node(op_type, inputs, outputs, name, **attributes))

    def _name(self, stem: str) -> str:
        return self.names.fresh(f"{self.names[self.node.output]}/{stem}")


def has_op(op_type: str) -> bool:
    """Whether ONNX has an op of this name."""
    try:
        schema = onnx.defs.get_schema(op_type, OPSET)
    except onnx.defs.SchemaError:
        return False
    return not schema.deprecated
