"""The first values of a net's weights, as its layers' fillers say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.network import Layer
from clnet.importers.names import shown

_TYPES = ("constant", "gaussian", "positive_unitball", "uniform", "xavier", "msra", "bilinear")
#: Layers without fillers, and the constants that their blobs begin with.
_FIXED = {"BatchNorm": (0.0, 1.0, 1.0)}
#: Single fillers that begin with something other than 0.
_DEFAULTS = {"PReLU": 0.25, "Scale": 1.0}


class Fillers:
    """Weights made anew: a source of blobs for ``build_net``."""

    def __init__(self, layers: Sequence[Layer], seed: int = 0) -> None:
        self._layers = {layer.name: layer for layer in layers}
        self._seed = seed

    def blob(self, layer: str, index: int, shape: Sequence[int]) -> np.ndarray:
        """A layer's blob ``index`` as float32 of ``shape``, the same whenever it is asked for."""
        if layer not in self._layers:
            raise ModelError(f"there is no layer {shown(layer)}")
        number = list(self._layers).index(layer)
        rng = np.random.default_rng((self._seed, number, index))
        found = self._layers[layer]
        if found.type in _FIXED:
            return np.full(shape, _FIXED[found.type][min(index, 2)], np.float32)
        filler = _filler(found, index)
        if filler is None:
            default = _DEFAULTS.get(found.type, 0.0) if index == 0 else 0.0
            return np.full(shape, default, np.float32)
        return _filled(filler, rng, tuple(shape)).astype(np.float32)


def _filler(layer: Layer, index: int) -> Message | None:
    """What the layer says about blob ``index``: weights, then biases."""
    names = ("weight_filler", "filler") if index == 0 else ("bias_filler",)
    for field, values in layer.fields.values.items():
        if field.endswith("_param"):
            for value in values:
                if isinstance(value, Message):
                    for name in names:
                        if value.has(name):
                            return value.message(name)
    return None


def _filled(filler: Message, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Values after Caffe's rules, in which axis 0 is the output."""
    kind = filler.text("type", "constant")
    fan_in = math.prod(shape[1:])
    fan_out = shape[0] * math.prod(shape[2:]) if len(shape) > 1 else shape[0]
    norm = filler.choice("variance_norm", "FAN_IN", ("FAN_IN", "FAN_OUT", "AVERAGE"))
    fans = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}
    if kind == "constant":
        return np.full(shape, filler.real("value", 0.0))
    if kind == "gaussian":
        values = filler.real("mean", 0.0) + filler.real("std", 1.0) * rng.standard_normal(shape)
        sparse = filler.integer("sparse", -1)
        if sparse >= 0 and len(shape) > 1:  # so many inputs of each output are not zero
            values *= rng.random(shape) < sparse / max(1, shape[0])
        return np.asarray(values)
    if kind == "uniform":
        return rng.uniform(filler.real("min", 0.0), filler.real("max", 1.0), shape)
    if kind == "xavier":
        limit = math.sqrt(3 / fans[norm])
        return rng.uniform(-limit, limit, shape)
    if kind == "msra":
        return math.sqrt(2 / fans[norm]) * rng.standard_normal(shape)
    if kind == "positive_unitball":
        values = rng.random(shape).reshape(shape[0], -1)
        return np.asarray((values / values.sum(1, keepdims=True)).reshape(shape))
    if kind == "bilinear" and len(shape) == 4 and shape[2] == shape[3]:
        factor = math.ceil(shape[3] / 2)
        centre = (2 * factor - 1 - factor % 2) / (2 * factor)
        line = 1 - np.abs(np.arange(shape[3]) / factor - centre)
        return np.broadcast_to(np.outer(line, line), shape)
    known = ", ".join(_TYPES)
    raise UnsupportedError(f"a filler {shown(kind)} for weights {list(shape)}; known are {known}")
