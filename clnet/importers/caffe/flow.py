"""Which layer reads which result: blobs are names that in-place layers write anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clnet.errors import ModelError
from clnet.importers.caffe.network import Layer
from clnet.importers.names import shown

Source = tuple[int, int]  # a layer's number and which of its tops

#: Layers that only training and testing need, beside those named …Loss and …Accuracy.
_EVALUATION = ("DetectionEvaluate", "HDF5Output")


@dataclass(frozen=True)
class Flow:
    """The net's ``inputs`` and ``outputs`` by name, the ``layers`` to compute between them, in
    order, by number, and the ``sources`` of every layer's bottoms."""

    inputs: dict[str, Source]
    outputs: dict[str, Source]
    layers: list[int]
    sources: list[list[Source]]


def is_data(layer: Layer) -> bool:
    """Whether the layer reads training data, so that its first top is an input of the net."""
    return not layer.bottoms and layer.type.endswith("Data")


def trace(layers: Sequence[Layer]) -> Flow:
    """Follow the blobs through the layers.

    Losses, measures and what follows them are dropped, and so is what only concerns labels: the
    further tops of data layers, and inputs that only losses read. What nobody else reads are the
    outputs. Raises ModelError where a
    blob is made twice, or by no layer before the one that reads it.
    """
    current: dict[str, Source] = {}
    sources: list[list[Source]] = []
    dropped: set[Source] = set()
    evaluated: set[Source] = set()
    labels: set[Source] = set()
    read: set[Source] = set()
    made: list[tuple[str, Source]] = []
    for i, layer in enumerate(layers):
        try:
            sources.append([_source(current, name) for name in layer.bottoms])
            _bind(current, layer, i)
        except ModelError as error:
            raise error.located(node=layer.label) from error
        tops = [(name, (i, k)) for k, name in enumerate(layer.tops)]
        if _is_evaluation(layer) or dropped.intersection(sources[i]):
            dropped.update(s for _, s in tops)
            evaluated.update(sources[i])
        elif is_data(layer):
            labels.update(s for _, s in tops[1:])
            made += tops[:1]
        elif layer.bottoms and labels.issuperset(sources[i]):
            labels.update(s for _, s in tops)
        else:
            read.update(sources[i])
            made += tops
    outputs = {
        name: source
        for name, source in made
        if source not in read and current[name] == source and layers[source[0]].bottoms
    }
    if not outputs:
        raise ModelError("the net has no outputs")
    needed = _needed(sources, outputs.values())
    asked = {source for number in needed for source in sources[number]}
    inputs = {
        name: (i, k)
        for i, layer in enumerate(layers)
        for k, name in enumerate(layer.tops)
        if (layer.type == "Input" and (i, k) not in evaluated)
        or ((layer.type == "Input" or is_data(layer)) and (i, k) in asked)
    }
    computed = [i for i in needed if layers[i].type != "Input" and not is_data(layers[i])]
    return Flow(inputs, outputs, computed, sources)


def _is_evaluation(layer: Layer) -> bool:
    return layer.type.endswith(("Loss", "Accuracy")) or layer.type in _EVALUATION


def _source(current: dict[str, Source], name: str) -> Source:
    if name not in current:
        raise ModelError(f"no layer before it makes the blob {shown(name)}")
    return current[name]


def _bind(current: dict[str, Source], layer: Layer, number: int) -> None:
    for k, name in enumerate(layer.tops):
        if name in layer.tops[:k] or (name in current and name not in layer.bottoms):
            raise ModelError(f"the blob {shown(name)} is made twice")
        current[name] = (number, k)


def _needed(sources: list[list[Source]], outputs: Iterable[Source]) -> list[int]:
    """The layers that the outputs need, in the file's order."""
    waiting = [layer for layer, _ in outputs]
    found: set[int] = set()
    while waiting:
        layer = waiting.pop()
        if layer not in found:
            found.add(layer)
            waiting += [number for number, _ in sources[layer]]
    return sorted(found)
