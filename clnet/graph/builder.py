"""Builds a graph node by node, inferring specs and folding what is constant on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ClnetError, ModelError, ShapeError
from clnet.graph.graph import Graph, Node, Value
from clnet.tensor_spec import TensorSpec


class GraphBuilder:
    """Appends nodes to a graph. Used by importers, passes, autodiff and people alike.

    An op whose inputs are all constant is computed at once by its NumPy reference, so shape
    arithmetic (Shape, Gather, Concat, Range…) never reaches a device.
    """

    def __init__(self, name: str = "model", graph: Graph | None = None) -> None:
        self.graph = graph or Graph(name)
        self._count = 0

    def input(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> Value:
        """Add an input of the whole graph."""
        value = Value(name, TensorSpec(shape, dtype))
        self.graph.inputs.append(value)
        return value

    def constant(self, array: Any, name: str | None = None) -> Value:
        """A value known now. The array is kept, not copied."""
        array = np.asarray(array)
        return Value(name or self._name("constant"), TensorSpec.of(array), array)

    def state(self, array: np.ndarray, name: str) -> Value:
        """A value that keeps its memory between runs and starts as ``array``."""
        return Value(name, TensorSpec.of(array), array, state=True)

    def add(self, op: Any, *inputs: Value | None, name: str | None = None) -> Any:
        """Apply ``op``; returns its output value, or a tuple where the op has several.

        Raises ShapeError naming the node where the inputs do not fit the op.
        """
        name = name or self._name(type(op).__name__.lower())
        outputs = self._apply(op, inputs, name)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _apply(self, op: Any, inputs: tuple[Value | None, ...], name: str) -> list[Value]:
        try:
            specs = op.infer(*(v.spec if v is not None else None for v in inputs))
            if self.graph.folds(op, inputs, specs):
                arrays = op.reference(*(v.data if v is not None else None for v in inputs))
                return [self.constant(a, f"{name}:{i}") for i, a in enumerate(arrays)]
        except ModelError as error:
            raise error.located(node=name) from error
        except ClnetError:
            raise
        except (ValueError, TypeError, IndexError, ArithmeticError, AssertionError) as error:
            raise ShapeError(f"{type(op).__name__}: {error}", node=name) from error
        suffix = [""] if len(specs) == 1 else [f":{i}" for i in range(len(specs))]
        varies = op.varies or any(v is not None and v.varies for v in inputs)
        outputs = [
            Value(name + s, spec, varies=varies) for s, spec in zip(suffix, specs, strict=True)
        ]
        self.graph.nodes.append(Node(op, list(inputs), outputs, name))
        return outputs

    def output(self, value: Value, name: str | None = None) -> None:
        """Declare an output of the whole graph, under the value's name unless given another."""
        self.graph.outputs[name or value.name] = value

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"
