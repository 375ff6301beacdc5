"""Networks out of model files, to be trained on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clnet.errors import InputError, ModelError
from clnet.graph import Graph, GraphBuilder, Node, Value
from clnet.importers import read_model
from clnet.models.initializers import find_initializer, zeros
from clnet.models.network import TrainableNetwork
from clnet.models.replay import replay
from clnet.models.scope import Initializer, Scope
from clnet.models.weights import find_weights
from clnet.ops.conv import Conv
from clnet.ops.gemm import Gemm, MatMul


def imported(
    path: str | Path,
    weights: str | Path | None = None,
    *,
    output: str | None = None,
    classes: int | None = None,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
) -> Imported:
    """A model file as a network whose weights are trained on: ONNX, TFLite, Caffe, Darknet.

    ``output`` names the output or any node inside at which the network ends; needed where there
    are several outputs. ``classes`` replaces the last layer with weights by a new one with so many
    outputs. ``input_shape`` is that of one sample, where the file leaves it open. Raises ModelError
    for what is wrong with the file, InputError where a name or shape does not fit.
    """
    path = Path(path)
    weights = Path(weights) if weights is not None else None
    try:
        graph = _of_one_sample(path, weights, input_shape)
        network = Imported(graph, output)
    except ModelError as error:
        raise error.located(file=path) from error
    return network if classes is None else network.with_classes(classes, seed)


def _of_one_sample(path: Path, weights: Path | None, input_shape: Sequence[int] | None) -> Graph:
    """The model for a batch of 1, whatever its file was written for."""
    graph = read_model(path, None, weights)
    if len(graph.inputs) == 1:
        (x,) = graph.inputs
        shape = (1, *(input_shape if input_shape is not None else x.spec.shape[1:]))
        if x.spec.shape != shape:
            graph = read_model(path, {x.name: shape}, weights)
    return graph


#: Importers call a node "Conv 'stem'": its type, and its name in the file.
_FILE_NAME = re.compile(r"\S+ '(.+)'")


class Imported(TrainableNetwork):
    """A graph with one input [1, ...] as a network: its weights are the parameters, named as in the
    file, or after their layer where the file names none."""

    def __init__(self, graph: Graph, output: str | None = None) -> None:
        if len(graph.inputs) != 1:
            names = ", ".join(v.name for v in graph.inputs)
            raise InputError(f"a network to train has one input, this has {names or 'none'}")
        (self._x,) = graph.inputs
        self._y = _output(graph, output)
        self._nodes = _needed(graph, self._x, self._y)
        if self._x.spec.shape[:1] != (1,) or self._y.spec.shape[:1] != (1,):
            raise InputError(
                f"input {self._x.spec} and output {self._y.spec} are not of one sample"
            )
        self.input_shape = self._x.spec.shape[1:]
        self.output_shape = self._y.spec.shape[1:]
        found = find_weights(self._nodes, self._x)
        self._names = {value: name for name, (value, _) in found.items()}
        self.parameters = {n: np.asarray(v.data, np.float32) for n, (v, _) in found.items()}
        self._fixed = self.frozen = frozenset(n for n, (_, trained) in found.items() if not trained)

    def append(self, scope: Scope, *inputs: Value) -> Value:
        """The network as a layer of another."""
        (x,) = inputs

        def weight(value: Value) -> Value:
            name = self._names.get(value)
            if name is None:  # a constant of its own, since compiling takes the data away
                return scope.build.constant(value.data, value.name)
            array = self.parameters[name]
            return scope.parameter(name, array.shape, _given(array), name not in self._fixed)

        return replay(scope.build, self._nodes, {self._x: x}, weight, self._y)

    def ending_at(self, name: str) -> Imported:
        """The part of the network up to a node or value, to put other layers behind::

        features = net.ending_at("conv10")
        net = clnet.Sequential([features, GlobalAveragePool(), Dense(2)], features.input_shape)
        """
        result = Imported(self._graph(), name)
        result.frozen |= self.frozen & result.parameters.keys()
        return result

    def with_classes(self, classes: int, seed: int = 0) -> Imported:
        """The same network, but for its last layer with weights, which is new, and has so many
        outputs. Raises InputError where the end of the network does not allow that."""
        last = self._last_layer()
        weight = next(v for v in last.inputs[1:2] if v is not None)
        axis = _output_axis(last)
        old = weight.spec.shape[axis]
        rng = np.random.default_rng(seed)
        fresh: dict[Value, np.ndarray] = {}
        behind = self._nodes[self._nodes.index(last) :]
        for value in self._names:
            if value is weight:
                shape = list(weight.spec.shape)
                shape[axis] = classes
                columns = np.moveaxis(np.empty(shape), axis, 0).shape
                made = find_initializer("glorot")(rng, columns)
                fresh[value] = np.ascontiguousarray(np.moveaxis(made, 0, axis))
            elif value.spec.size == old and any(value in node.inputs for node in behind):
                shape = [classes if d == old else d for d in value.spec.shape]
                fresh[value] = zeros(rng, tuple(shape))
        build = GraphBuilder(self._x.name)
        x = build.input(self._x.name, self._x.spec.shape)

        def renewed(value: Value) -> Value:
            data = fresh.get(value)
            return build.constant(value.data if data is None else data, self._name(value))

        try:
            y = replay(build, self._nodes, {self._x: x}, renewed, self._y, {old: classes})
        except ModelError as error:
            raise InputError(f"{last.name} cannot have {classes} outputs: {error}") from None
        build.output(y, self._y.name)
        result = Imported(build.graph)
        if classes not in result.output_shape:
            raise InputError(f"behind {last.name} the output is {list(result.output_shape)}; end at"
                             " a layer before it, and put your own behind")  # fmt: skip
        result.frozen |= self.frozen & result.parameters.keys()
        return result

    def _name(self, value: Value) -> str:
        return self._names.get(value, value.name)

    def _graph(self) -> Graph:
        """The graph as it was imported, with the present weights."""
        graph = Graph(self._x.name, [self._x], {self._y.name: self._y}, list(self._nodes))
        for value, name in self._names.items():
            value.data, value.name = self.parameters[name], name
        return graph

    def _last_layer(self) -> Node:
        for node in reversed(self._nodes):
            if isinstance(node.op, Conv | Gemm | MatMul) and node.inputs[1] in self._names:
                return node
        raise InputError("the network has no layer with weights to replace")


def _given(array: np.ndarray) -> Initializer:
    return lambda rng, shape: array


def _output_axis(node: Node) -> int:
    """Which axis of a layer's weights its outputs are."""
    if isinstance(node.op, Conv):
        return 0
    return 0 if isinstance(node.op, Gemm) and node.op.trans_b else 1


def _output(graph: Graph, name: str | None) -> Value:
    """The value at which the network ends."""
    if name is None:
        if len(graph.outputs) != 1:
            raise InputError(f"which output is to be trained: {', '.join(graph.outputs)}?")
        (value,) = graph.outputs.values()
        return value
    known: dict[str, Value] = {}
    for node in graph.nodes:
        known.setdefault(node.name, node.output)
        if in_file := _FILE_NAME.fullmatch(node.name):
            known.setdefault(in_file[1], node.output)
        known.update({v.name: v for v in node.outputs})
    known.update(graph.outputs)
    if name not in known:
        last = ", ".join(node.name for node in graph.nodes[-5:])
        raise InputError(f"no node is named {name!r}; the last ones are {last}")
    return known[name]


def _needed(graph: Graph, x: Value, y: Value) -> list[Node]:
    """The nodes between ``x`` and ``y``."""
    wanted = {y}
    nodes = []
    for node in reversed(graph.nodes):
        if any(v in wanted for v in node.outputs):
            nodes.append(node)
            wanted.update(v for v in node.inputs if v is not None)
    if x not in wanted:
        raise InputError(f"{y.name} does not depend on the input {x.name}")
    return nodes[::-1]
