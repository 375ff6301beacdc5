"""The entry: a cfg and its weights become a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clnet.errors import ClnetError, InputError, ModelError, ShapeError, UnsupportedError
from clnet.graph import Graph, GraphBuilder, Value
from clnet.importers.darknet import layers  # noqa: F401  (registers the converters)
from clnet.importers.darknet.cfg import Section, read_cfg
from clnet.importers.darknet.layer import Layer, check_extent
from clnet.importers.darknet.registry import CONVERTERS, DETECTORS
from clnet.importers.darknet.weights import RandomWeights, Weights, WeightsFile
from clnet.importers.names import shown

#: The name of the input, which a cfg does not give.
INPUT = "data"

Shapes = Mapping[str, Sequence[int]]


def read_darknet(
    cfg: Path, weights: Path | None = None, input_shapes: Shapes | None = None, seed: int = 0
) -> Graph:
    """Read a Darknet model. Without ``weights`` they are random, out of ``seed``.

    The input "data" is float32[N, channels, height, width] (RGB, 0 to 1), N being 1
    unless ``input_shapes`` says otherwise; batch and subdivisions are training's. An output has
    its layer's name, number included: the last layer's ("softmax_25") and, of networks that find
    objects, for each detection layer the decoded boxes ("yolo_69", see layers/detection.py) and
    what they are decoded from ("conv_68").

    Raises ModelError naming layer and reason, InputError where ``input_shapes`` does not fit.
    """
    shapes = input_shapes or {}
    try:
        sections = read_cfg(cfg)
        if weights is None:
            return build_network(sections, cfg.stem, RandomWeights(seed), shapes)
        return _with_weights(sections, cfg.stem, weights, shapes)
    except ModelError as error:
        raise error.located(file=cfg) from error


def _with_weights(sections: list[Section], name: str, weights: Path, shapes: Shapes) -> Graph:
    """The graph with weights of a file. Forks of Darknet write biases for batchnorm layers, which
    nothing but the file's size tells."""
    try:
        return build_network(sections, name, WeightsFile(weights), shapes)
    except ModelError as error:
        if not any(section.kind == "batchnorm" for section in sections):
            raise
        try:
            return build_network(sections, name, WeightsFile(weights, True), shapes)
        except ModelError:
            raise error from None


def build_network(
    sections: list[Section], name: str, weights: Weights, shapes: Shapes, *, training: bool = False
) -> Graph:
    """The graph of a cfg's sections, with weights from wherever they come: as it predicts, or as it
    is trained, with its dropouts."""
    build = GraphBuilder(name)
    try:
        shape = _input_shape(sections[0], shapes)
        value: Value | None = check_extent(build.input(INPUT, shape))
    except ModelError as error:
        raise error.located(node="net") from error
    size = (shape[2], shape[3]) if len(shape) == 4 else (1, 1)
    outputs: list[Value | None] = []
    boxes: dict[str, Value] = {}
    raw: dict[str, Value] = {}
    last = (INPUT, value)
    for index, section in enumerate(sections[1:]):
        layer = Layer(section, index, value, outputs, build, weights, size, training)
        result = _convert(layer)
        if section.kind in DETECTORS:
            assert value is not None
            boxes[layer.label], raw[last[0]] = result, value
            value = None
        else:
            value = result
        if section.kind != "cost":  # which is training's: Darknet's result is the layer before
            last = (layer.label, value)
        outputs.append(value)
    try:
        weights.finish()
    except ModelError as error:
        raise error.located(node=layer.label) from error
    for label, output in (*boxes.items(), *raw.items(), last):
        if output is not None:
            build.output(output, label)
    return build.graph


def _convert(layer: Layer) -> Value:
    """The layer's output. Whatever is wrong names the layer."""
    kind = layer.options.kind
    try:
        if kind not in CONVERTERS:
            raise UnsupportedError(f"layers of type {shown(kind)} are not supported")
        return check_extent(CONVERTERS[kind](layer))
    except ModelError as error:
        raise error.located(node=layer.label) from error
    except ClnetError:
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise ShapeError(f"{type(error).__name__}: {error}", node=layer.label) from error


def _input_shape(net: Section, shapes: Shapes) -> tuple[int, ...]:
    """[N, C, H, W], or [N, inputs] where the network has no image."""
    unknown = [name for name in shapes if name != INPUT]
    if unknown:
        raise InputError(f"input_shapes names {unknown[0]!r}; the model's input is {INPUT}")
    height, width = net.integer("height", 0), net.integer("width", 0)
    channels = net.integer("channels", 0)
    declared: tuple[int, ...] = (1, channels, height, width)
    if 0 in declared:
        inputs = net.integer("inputs", height * width * channels)
        if not inputs:
            raise ModelError("width, height and channels, or inputs, are needed")
        declared = (1, inputs)
    given = tuple(int(d) for d in shapes.get(INPUT, declared))
    if len(given) != len(declared) or given[1] != declared[1] or min(given) < 1:
        raise InputError(f"input {INPUT} is {list(declared)}; {list(given)} does not fit")
    return given
