"""Walks the layers of a net and builds the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clnet.errors import ClnetError, InputError, ModelError, UnsupportedError
from clnet.graph import Graph, Value
from clnet.importers.caffe import converters  # noqa: F401  (registers them)
from clnet.importers.caffe.flow import Flow, Source, trace
from clnet.importers.caffe.inputs import declared_shape
from clnet.importers.caffe.layer import Building, CaffeLayer
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.network import Layer, read_layers
from clnet.importers.caffe.registry import CONVERTERS
from clnet.importers.caffe.weights import Weights
from clnet.importers.names import shown

Shapes = Mapping[str, Sequence[int]]


def build_net(
    net: Message, weights: Weights, input_shapes: Shapes | None = None, *, training: bool = False
) -> Graph:
    """The graph of a parsed net, with weights from wherever: as it is tested, or as it is trained.
    Raises as ``read_caffe`` does."""
    layers = read_layers(net, "TRAIN" if training else "TEST")
    flow = trace(layers)
    _refuse_unsupported([layers[i] for i in flow.layers])
    building = Building(net.text("name", "") or "net", weights, training)
    values = _inputs(building, layers, flow, input_shapes or {})
    for number in flow.layers:
        layer = layers[number]
        bottoms = [values[source] for source in flow.sources[number]]
        try:
            tops = _convert(building, layer, bottoms)
        except ModelError as error:
            raise error.located(node=layer.label) from error
        except ClnetError:
            raise
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise ModelError(f"{type(error).__name__}: {error}", node=layer.label) from error
        values.update({(number, k): value for k, value in enumerate(tops)})
    for name, source in flow.outputs.items():
        building.build.output(values[source], name)
    return building.build.graph


def _inputs(
    building: Building, layers: Sequence[Layer], flow: Flow, shapes: Shapes
) -> dict[Source, Value]:
    unknown = [name for name in shapes if name not in flow.inputs]
    if unknown:
        there = ", ".join(map(shown, flow.inputs)) or "none"
        raise InputError(f"input_shapes names {unknown[0]!r}; the model's inputs are {there}")
    values = {}
    for name, (number, top) in flow.inputs.items():
        try:
            shape = shapes[name] if name in shapes else declared_shape(layers[number], top)
            values[number, top] = building.build.input(name, tuple(shape))
        except ModelError as error:
            raise error.located(node=layers[number].label) from error
    building.account(*values.values())
    return values


def _convert(building: Building, layer: Layer, bottoms: Sequence[Value]) -> Sequence[Value]:
    converted = CaffeLayer(building, layer, bottoms)
    made = CONVERTERS[layer.type](converted)
    converted.refuse_unread()
    tops = made if isinstance(made, tuple) else (made,)
    if len(layer.tops) > len(tops):
        raise ModelError(f"it has {len(layer.tops)} tops, but makes {len(tops)}")
    return tops


def _refuse_unsupported(layers: Sequence[Layer]) -> None:
    """Name every type that cannot be converted, before the first layer is."""
    missing = [layer for layer in layers if layer.type not in CONVERTERS]
    if missing:
        types = sorted({shown(layer.type)[1:-1] for layer in missing})
        listed = ", ".join(types[:10]) + (f" and {len(types) - 10} more" if types[10:] else "")
        raise UnsupportedError(f"layers of type {listed} are not supported", node=missing[0].label)
