"""The layers of a prototxt as one of its phases has them, old forms made new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clnet.errors import ModelError
from clnet.importers.caffe.message import Message, Word
from clnet.importers.caffe.weights import MAX_RANK
from clnet.importers.names import shown

#: The deepest nets have a few thousand.
MAX_LAYERS = 20_000
#: Bottoms and tops of a layer.
MAX_ENDS = 4096
#: Layer types of 2014 (``layers { type: CONVOLUTION }``) that are more than other spellings.
_V1_TYPES = {
    "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "DUMMY_DATA": "DummyData",
    "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output", "LRN": "LRN", "MVN": "MVN",
    "PRELU": "PReLU", "RELU": "ReLU", "ELU": "ELU", "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH", "INNER_PRODUCT": "InnerProduct",
}  # fmt: skip
#: Those of 2013 (``layers { layer { type: "conv" } }``), and where their parameters belong now.
_V0_TYPES = {
    "conv": "Convolution", "pool": "Pooling", "relu": "ReLU", "innerproduct": "InnerProduct",
    "lrn": "LRN", "dropout": "Dropout", "softmax": "Softmax", "softmax_loss": "SoftmaxWithLoss",
    "concat": "Concat", "flatten": "Flatten", "split": "Split", "tanh": "TanH", "bnll": "BNLL",
    "sigmoid": "Sigmoid", "data": "Data", "images": "ImageData", "hdf5_data": "HDF5Data",
    "window_data": "WindowData", "euclidean_loss": "EuclideanLoss", "accuracy": "Accuracy",
    "padding": "padding",
}  # fmt: skip
_V0_PARAMETERS = {
    "Convolution": ("convolution_param", ("num_output", "biasterm", "pad", "kernelsize", "group",
                                          "stride")),
    "InnerProduct": ("inner_product_param", ("num_output", "biasterm")),
    "Pooling": ("pooling_param", ("pool", "kernelsize", "stride", "pad")),
    "LRN": ("lrn_param", ("local_size", "alpha", "beta", "k")),
    "Dropout": ("dropout_param", ("dropout_ratio",)),
    "Concat": ("concat_param", ("concat_dim",)),
    "Data": ("transform_param", ("cropsize",)),
    "ImageData": ("transform_param", ("cropsize",)),
}  # fmt: skip
_V0_FIELDS = {"biasterm": "bias_term", "kernelsize": "kernel_size", "cropsize": "crop_size"}


@dataclass(frozen=True)
class Layer:
    """A layer: what it reads (bottoms), what it makes (tops), and all its fields."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    fields: Message

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{shown(self.type)[1:-1]} {shown(self.name or ' '.join(self.tops))}"


def read_layers(net: Message, phase: str = "TEST") -> list[Layer]:
    """The layers of a phase in the file's order; what ``input`` declares becomes an Input layer in
    front.

    Raises ModelError where the file is no net.
    """
    if net.has("layer") and net.has("layers"):
        raise ModelError("it mixes layer and layers")
    layers = [*_inputs(net)]
    if len(net.messages("layer")) + len(net.messages("layers")) > MAX_LAYERS:
        raise ModelError(f"more than {MAX_LAYERS} layers")
    state = net.message("state")
    for message in (*net.messages("layer"), *net.messages("layers")):
        layer = _from_v0(message) if message.has("layer") else _layer(message)
        try:
            if _included(layer.fields, state, phase):
                layers.append(layer)
        except ModelError as error:
            raise error.located(node=layer.label) from error
    if not net.has("layer") and not net.has("layers"):
        raise ModelError("not a Caffe net: it has no layers")
    return list(_without_padding(layers))


def dimensions(shape: Message, low: int = 0) -> tuple[int, ...]:
    """A BlobShape's ``dim``, each at least ``low``."""
    found = shape.integers("dim", low)
    if len(found) > MAX_RANK:
        raise ModelError(f"a shape of {len(found)} dimensions")
    return found


def _inputs(net: Message) -> Iterator[Layer]:
    names = net.texts("input")
    flat = net.integers("input_dim", 0)
    shapes = [dimensions(s) for s in net.messages("input_shape")]
    if flat and shapes:
        raise ModelError("it has both input_dim and input_shape")
    if flat:
        shapes = [flat[i : i + 4] for i in range(0, len(flat), 4)]
    if len(shapes) not in (0, len(names)) or len(flat) % 4:
        raise ModelError(f"{len(names)} inputs, but {len(shapes)} shapes of inputs")
    for i, name in enumerate(names):
        fields = Message()
        if shapes:
            fields.add("input_param", _input_param(shapes[i]))
        yield Layer(name, "Input", (), (name,), fields)


def _input_param(shape: Sequence[int]) -> Message:
    param, inner = Message("input_param"), Message("shape")
    param.add("shape", inner)
    for d in shape:
        inner.add("dim", d)
    return param


def _layer(message: Message) -> Layer:
    name = message.text("name", "")
    types = message.values.get("type", [])
    if len(types) != 1 or not isinstance(types[0], str):
        raise ModelError(f"the layer {shown(name)} has no type")
    kind = str(types[0])
    if isinstance(types[0], Word):
        kind = _V1_TYPES.get(kind) or kind.title().replace("_", "")
    if max(len(message.texts(field)) for field in ("bottom", "top")) > MAX_ENDS:
        raise ModelError(f"the layer {shown(name)} has more than {MAX_ENDS} bottoms or tops")
    return Layer(name, kind, message.texts("bottom"), message.texts("top"), message)


def _from_v0(message: Message) -> Layer:
    """One of 2013: its fields go where they belong now."""
    inner = message.message("layer")
    name, old = inner.text("name", ""), inner.text("type", "")
    kind = _V0_TYPES.get(old, old)
    where, names = _V0_PARAMETERS.get(kind, ("", ()))
    param = Message(where)
    for field in names:
        for value in inner.values.get(field, []):
            param.add(_V0_FIELDS.get(field, field), value)
    fields = Message()
    fields.add(where or "layer", param if where else inner)
    return Layer(name, kind, message.texts("bottom"), message.texts("top"), fields)


def _without_padding(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Layers of 2013 that only pad become the ``pad`` of the convolutions that read them."""
    padded: dict[str, tuple[str, int]] = {}
    for layer in layers:
        if layer.type == "padding":
            pad = layer.fields.message("layer").integer("pad", None, 0)
            if len(layer.bottoms) != 1 or len(layer.tops) != 1:
                raise ModelError("padding needs one bottom and one top", node=layer.label)
            padded[layer.tops[0]] = (layer.bottoms[0], pad)
        elif any(b in padded for b in layer.bottoms):
            if layer.type != "Convolution" or len(layer.bottoms) != 1:
                raise ModelError("it reads padding, but is no convolution", node=layer.label)
            source, pad = padded[layer.bottoms[0]]
            param = layer.fields.message("convolution_param")
            if param.has("pad"):
                raise ModelError("padding twice", node=layer.label)
            param.add("pad", pad)
            yield Layer(layer.name, layer.type, (source,), layer.tops, layer.fields)
        else:
            yield layer


def _included(layer: Message, state: Message, phase: str) -> bool:
    """Whether the layer is part of the net in a phase."""
    include, exclude = layer.messages("include"), layer.messages("exclude")
    if include and exclude:
        raise ModelError("it has both include and exclude")
    if include:
        return any(_meets(state, rule, phase) for rule in include)
    return not any(_meets(state, rule, phase) for rule in exclude)


def _meets(state: Message, rule: Message, phase: str) -> bool:
    level, stages = state.integer("level", 0), set(state.texts("stage"))
    return (
        rule.choice("phase", phase, ("TRAIN", "TEST")) == phase
        and level >= rule.integer("min_level", level)
        and level <= rule.integer("max_level", level)
        and stages.issuperset(rule.texts("stage"))
        and stages.isdisjoint(rule.texts("not_stage"))
    )
