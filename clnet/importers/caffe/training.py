"""A net's TRAIN phase: the graph to train, its loss, its data, and rates of single weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Graph
from clnet.importers.caffe.fillers import Fillers
from clnet.importers.caffe.flow import is_data
from clnet.importers.caffe.importer import build_net
from clnet.importers.caffe.inputs import declared_shape
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.network import Layer, read_layers
from clnet.importers.caffe.text import read_text
from clnet.importers.caffe.weights import CaffeModel, Weights
from clnet.importers.names import shown

#: Losses, and what clnet calls them.
LOSSES = {
    "SoftmaxWithLoss": "cross_entropy",
    "MultinomialLogisticLoss": "cross_entropy",
    "SigmoidCrossEntropyLoss": "bce_with_logits",
    "EuclideanLoss": "mse",
}
#: Where a data layer says how many samples make a batch.
_BATCH_PARAMS = (
    "data_param", "image_data_param", "hdf5_data_param", "memory_data_param", "window_data_param",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingNet:
    """What there is to train. ``graph`` takes one sample, and ends where ``output`` is named.
    ``means`` (none, one, or one for each channel, blue first) and ``scale`` are what pixels go
    through; ``multipliers`` are factors of learning rate and weight decay by parameter."""

    graph: Graph
    output: str
    loss: str
    batch_size: int
    scale: float
    means: tuple[float, ...]
    crop: int
    mirror: bool
    multipliers: dict[str, tuple[float, float]]


def training_shape(path: Path) -> tuple[int, ...] | None:
    """The shape [C, H, W] of the samples that a net is trained on, where the file tells."""
    layer = _data_layer(read_layers(read_text(path), "TRAIN"))
    try:
        return declared_shape(layer, 0)[1:]
    except ModelError:
        return None


def read_training_net(
    path: Path, input_shape: Sequence[int], weights: Path | None = None, seed: int = 0
) -> TrainingNet:
    """Read a prototxt as its TRAIN phase has it, for samples of ``input_shape``, with weights made
    by its fillers out of ``seed``, or those of a caffemodel. Raises ModelError naming layer and
    reason."""
    try:
        net = read_text(path)
        layers = read_layers(net, "TRAIN")
        data, loss = _data_layer(layers), _loss_layer(layers)
        source: Weights = CaffeModel(weights) if weights else Fillers(layers, seed)
        shapes = {data.tops[0]: (1, *input_shape)}
        graph = build_net(net, source, shapes, training=True)
    except ModelError as error:
        raise error.located(file=path) from error
    output = loss.bottoms[0]
    if output not in graph.outputs:
        raise UnsupportedError("others read what the loss does", file=path, node=loss.label)
    transform = data.fields.message("transform_param")
    return TrainingNet(
        graph,
        output,
        LOSSES[loss.type],
        _batch_size(data),
        transform.real("scale", 1.0),
        transform.reals("mean_value"),
        transform.integer("crop_size", 0, 0),
        transform.flag("mirror"),
        _multipliers(layers),
    )


def _data_layer(layers: Sequence[Layer]) -> Layer:
    for layer in layers:
        if is_data(layer) or layer.type == "Input":
            return layer
    raise ModelError("the TRAIN phase has no data layer")


def _loss_layer(layers: Sequence[Layer]) -> Layer:
    found = [layer for layer in layers if layer.type.endswith("Loss")]
    if len(found) != 1:
        count = len(found) or "no"
        raise UnsupportedError(f"the TRAIN phase has {count} losses; one can be trained")
    (loss,) = found
    if loss.type not in LOSSES:
        known = ", ".join(LOSSES)
        raise UnsupportedError(f"a {shown(loss.type)}; known are {known}", node=loss.label)
    if not loss.bottoms:
        raise ModelError("it has no bottom", node=loss.label)
    return loss


def _batch_size(data: Layer) -> int:
    for name in _BATCH_PARAMS:
        param = data.fields.message(name)
        if param.has("batch_size"):
            return param.integer("batch_size", None, 1)
    return 1


def _multipliers(layers: Sequence[Layer]) -> dict[str, tuple[float, float]]:
    """lr_mult and decay_mult of every weight that has some, in the form of any year."""
    found = {}
    for layer in layers:
        rates = [_factors(p) for p in layer.fields.messages("param")]
        if not rates:  # until 2014 they stood in the layer itself
            decays = layer.fields.reals("weight_decay")
            old = layer.fields.reals("blobs_lr")
            rates = [(r, decays[i] if i < len(decays) else 1.0) for i, r in enumerate(old)]
        for index, factors in enumerate(rates):
            name = ("weight", "bias")[index] if index < 2 else str(index)
            found[f"{layer.name}.{name}"] = factors
    return found


def _factors(param: Message) -> tuple[float, float]:
    return param.real("lr_mult", 1.0), param.real("decay_mult", 1.0)
