"""Walks an ONNX model node by node and builds the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    defs,
    helper,
)

from clnet.errors import ClnetError, ModelError, UnsupportedError
from clnet.graph import Graph, GraphBuilder, Value
from clnet.importers.names import shown
from clnet.importers.onnx.generic import converter_for
from clnet.importers.onnx.inputs import input_specs
from clnet.importers.onnx.narrow import WIDER
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.old_broadcast import SINCE, align_operands
from clnet.importers.onnx.order import execution_order, label_of
from clnet.importers.onnx.scope import FunctionKey, Scope, Tensors, domain_of, opset_versions
from clnet.importers.onnx.standard_functions import standard_function
from clnet.importers.onnx.tensors import read_tensor
from clnet.importers.onnx.text import refuse_damaged_text
from clnet.importers.onnx.unsupported import refuse_unsupported, unsupported
from clnet.ops import Op

#: Functions that call each other, and loops, can blow a small file up to any number of nodes.
MAX_INLINED = 10_000
#: The bytes of all tensors of a model together: no board comes near, and sums stay meaningful.
MAX_TENSOR_BYTES = 1 << 37


class NotConstantError(UnsupportedError):
    """A value must be known when the model is read, but depends on the model's ``inputs``."""

    inputs: tuple[str, ...] = ()

    def located(self, *, file: object = None, node: str | None = None) -> ModelError:
        error = super().located(file=file, node=node)
        assert isinstance(error, NotConstantError)
        error.inputs = self.inputs
        return error


class Importer:
    """One reading of a model.

    ``folder`` holds data files; ``raw`` are bytes of initializers, by position, that were taken out
    of the message; ``constants`` are inputs whose values are given beforehand.
    """

    def __init__(
        self,
        model: ModelProto,
        folder: Path | None,
        raw: Mapping[int, np.ndarray],
        input_shapes: Mapping[str, Sequence[int]],
        constants: Mapping[str, np.ndarray],
    ) -> None:
        self.model, self.folder, self.raw = model, folder, raw
        self.input_shapes, self.constants = input_shapes, constants
        self.build = GraphBuilder(model.graph.name or "model")
        self.functions: dict[FunctionKey, FunctionProto] = {
            (domain_of(f.domain), f.name, f.overload): f for f in model.functions
        }
        #: ONNX's element types of values that stand for narrower ones, and real numbers that were
        #: rounded to integers, by the integers.
        self.elements: dict[Value, int] = {}
        self.rounded: dict[Value, Value] = {}
        self.filled_bytes = 0  #: of constants that the file only gives a value and a shape
        self._inlined = 0
        self._bytes = 0

    def run(self) -> Graph:
        """The whole model."""
        refuse_damaged_text(self.model)
        graph = self.model.graph
        opsets = {"": defs.onnx_opset_version(), **opset_versions(self.model.opset_import)}
        scope = Scope(opsets, tensors=self._initializers(graph, self.raw))
        refuse_unsupported(graph.node, scope.opsets, self.functions)
        inputs = [i for i in graph.input if i.name not in scope.tensors]
        elements = {i.name: i.type.tensor_type.elem_type for i in inputs}
        for name, spec in input_specs(inputs, self.input_shapes).items():
            if name in self.constants:
                value = self.build.constant(self.constants[name], name)
            else:
                value = self.build.input(name, spec.shape, spec.dtype)
                self._account([value])
            scope.values[name] = self.of_element(value, elements[name])
        names = [o.name for o in graph.output]
        if not names or len(set(names)) < len(names):
            raise ModelError("the model has no outputs" if not names else "two outputs of one name")
        for name, value in zip(names, self.walk(graph.node, names, scope), strict=True):
            self.build.output(value, name)
        return self.build.graph

    def walk(self, nodes: Sequence[NodeProto], outputs: Sequence[str], scope: Scope) -> list[Value]:
        """Convert the nodes that ``outputs`` need, and return those."""
        for node in execution_order(nodes, outputs, scope.sees):
            label = label_of(node)
            try:
                self._convert(node, scope, label)
            except ModelError as error:
                raise error.located(node=label) from error
            except ClnetError:
                raise
            except (ValueError, TypeError, ArithmeticError, LookupError) as error:
                raise ModelError(f"{type(error).__name__}: {error}", node=label) from error
        return [self.value(name, scope) for name in outputs]

    def branch(self, graph: GraphProto, scope: Scope, given: Sequence[Value] = ()) -> list[Value]:
        """The outputs of a subgraph that sees the names around it, for its inputs ``given``."""
        if len(given) != len(graph.input):
            raise ModelError(f"{len(given)} values for {len(graph.input)} inputs of a subgraph")
        self._count(1 + len(graph.node) if given else 0)
        values = {i.name: value for i, value in zip(graph.input, given, strict=True)}
        inner = Scope(scope.opsets, scope, values, self._initializers(graph, {}), scope.attributes,
                      scope.functions)  # fmt: skip
        return self.walk(graph.node, [o.name for o in graph.output], inner)

    def value(self, name: str, scope: Scope) -> Value:
        """What a name stands for; initializers are read when they are first needed."""
        if name in scope.values:
            return scope.values[name]
        if name in scope.tensors:
            element, read = scope.tensors[name]
            try:
                array = read()
            except ModelError as error:
                raise error.located(node=f"initializer {shown(name)}") from error
            scope.values[name] = self.of_element(self.build.constant(array, name), element)
            return scope.values[name]
        if scope.outer is None:
            raise ModelError(f"{shown(name)} is not defined")
        return self.value(name, scope.outer)

    def add(self, op: Op, inputs: Sequence[Value | None], label: str) -> Any:
        """Append one of clnet's ops."""
        result = self.build.add(op, *inputs, name=label)
        self._account(result if isinstance(result, tuple) else (result,))
        return result

    def known(self, value: Value, what: str) -> np.ndarray:
        """The values of a constant. Raises NotConstantError where they come out of a run only."""
        if value.is_constant and value.data is not None:
            return value.data
        makers = self.build.graph.producers()
        seen, waiting = {value}, [value]
        while waiting:
            maker = makers.get(waiting.pop())
            new = {v for v in (maker.inputs if maker else ()) if v is not None} - seen
            seen |= new
            waiting += new
        error = NotConstantError(f"{what} must be a constant, but is computed when the model runs")
        error.inputs = tuple(v.name for v in self.build.graph.inputs if v in seen)
        raise error

    def of_element(self, value: Value, element: int) -> Value:
        """The value, which stands for tensors of this element type of ONNX's."""
        if element in WIDER:
            self.elements[value] = element
        return value

    def element_of(self, value: Value) -> int:
        """ONNX's element type of a value."""
        dtype = np.dtype(value.spec.dtype)
        return self.elements.get(value, int(helper.np_dtype_to_tensor_dtype(dtype)))

    def read(self, tensor: TensorProto, raw: np.ndarray | None = None) -> np.ndarray:
        """The values of a tensor in the model."""
        return read_tensor(tensor, self.folder, raw)

    def _initializers(self, graph: GraphProto, raw: Mapping[int, np.ndarray]) -> Tensors:
        tensors: Tensors = {t.name: (t.data_type, partial(self.read, t, raw.get(i)))
                   for i, t in enumerate(graph.initializer)}  # fmt: skip
        if len(tensors) < len(graph.initializer):
            raise ModelError("two initializers have the same name")
        if graph.sparse_initializer:
            raise UnsupportedError("sparse initializers are not supported")
        return tensors

    def _account(self, values: Iterable[Value]) -> None:
        self._bytes += sum(v.spec.nbytes for v in values if not v.is_constant)
        if self._bytes > MAX_TENSOR_BYTES:
            raise ModelError(f"its tensors exceed {MAX_TENSOR_BYTES >> 30} GiB")

    def _count(self, nodes: int) -> None:
        """Account for nodes that the file does not have one by one."""
        self._inlined += nodes
        if self._inlined > MAX_INLINED:
            raise ModelError(f"more than {MAX_INLINED} nodes in functions and loops")

    def _convert(self, node: NodeProto, scope: Scope, label: str) -> None:
        self._count(bool(scope.functions))
        inputs = [self.value(name, scope) if name else None for name in node.input]
        attributes = _attributes(node, scope)
        key = (domain_of(node.domain), node.op_type, node.overload)
        opset = scope.opsets.get(key[0], 1)
        convert = converter_for(*key[:2])
        if key in self.functions:
            results = self._inline(key, self.functions[key], inputs, attributes, scope)
        elif convert is not None:
            reader = OnnxNode(self, scope, node.op_type, label, opset, inputs, node.output,
                              attributes)  # fmt: skip
            if opset < SINCE and not key[0]:
                align_operands(reader)
            made = convert(reader)
            results = list(made) if isinstance(made, tuple) else [made]
        else:
            function = standard_function(_with_attributes(node, attributes), opset, inputs)
            if function is None:
                raise unsupported([key])
            results = self._inline(key, function, inputs, attributes, scope)
        self._bind(node, results, scope)

    def _bind(self, node: NodeProto, results: Sequence[Value | None], scope: Scope) -> None:
        for i, name in enumerate(node.output):
            if not name:
                continue
            value = results[i] if i < len(results) else None
            if value is None:
                raise UnsupportedError(f"output {i} ({shown(name)}) is not supported")
            scope.values[name] = value

    def _inline(
        self,
        key: FunctionKey,
        function: FunctionProto,
        inputs: Sequence[Value | None],
        attributes: Mapping[str, AttributeProto],
        scope: Scope,
    ) -> list[Value | None]:
        if key in scope.functions:
            raise ModelError(f"the function {shown(key[1])} calls itself")
        if len(inputs) > len(function.input):
            raise ModelError(f"{len(inputs)} inputs for {len(function.input)} of {shown(key[1])}")
        given = zip(function.input, inputs, strict=False)
        inner = Scope(
            {**scope.opsets, **opset_versions(function.opset_import)},
            values={name: value for name, value in given if value is not None},
            attributes={**{a.name: a for a in function.attribute_proto}, **attributes},
            functions=(*scope.functions, key),
        )
        nodes = [_without_absent(n, set(function.input) - set(inner.values)) for n in function.node]
        made = {name for node in nodes for name in node.output} | set(inner.values)
        present = [name for name in function.output if name in made]
        values = dict(zip(present, self.walk(nodes, present, inner), strict=True))
        return [values.get(name) for name in function.output]


def _attributes(node: NodeProto, scope: Scope) -> dict[str, AttributeProto]:
    """The node's attributes; those that refer to an attribute of the function take its value."""
    result = {}
    for attribute in node.attribute:
        if attribute.name in result:
            raise ModelError(f"attribute {shown(attribute.name)} is given twice")
        if not attribute.ref_attr_name:
            result[attribute.name] = attribute
        elif attribute.ref_attr_name in scope.attributes:
            result[attribute.name] = scope.attributes[attribute.ref_attr_name]
    return result


def _with_attributes(node: NodeProto, attributes: Mapping[str, AttributeProto]) -> NodeProto:
    """The node with its attributes' values in place of references to those of a function."""
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    copy = NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for name, attribute in attributes.items():
        copy.attribute.add().CopyFrom(attribute)
        copy.attribute[-1].name = name
    return copy


def _without_absent(node: NodeProto, absent: set[str]) -> NodeProto:
    """The node of a function's body, with the optional inputs that the caller left out."""
    if not absent.intersection(node.input):
        return node
    copy = NodeProto()
    copy.CopyFrom(node)
    del copy.input[:]
    copy.input.extend("" if name in absent else name for name in node.input)
    return copy
