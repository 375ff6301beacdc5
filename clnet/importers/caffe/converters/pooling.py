"""Pooling. Caffe rounds the number of windows up, and drops one that starts in the padding."""

from __future__ import annotations

import math
from typing import Any

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.caffe.converters.windows import extents
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.registry import converter
from clnet.ops.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool

#: Smallest normal float, which Caffe adds to a sum it divides by.
_TINY = 2.0**-126


@converter("Pooling")
def pooling(layer: CaffeLayer) -> Any:
    """A second top says where in its map each maximum stands: whole numbers here, floats in Caffe,
    which halves could not hold."""
    x = layer.only()
    if x.spec.rank != 4:
        raise ModelError(f"pooling of {list(x.spec.shape)}, which has not 4 dimensions")
    param = layer.param("pooling_param")
    param.ignore("engine")
    method = param.choice("pool", "MAX", ("MAX", "AVE", "STOCHASTIC"))
    positions = len(layer.layer.tops) > 1
    if positions and (method != "MAX" or param.flag("global_pooling")):
        raise UnsupportedError("a second top without windows of maxima")
    if param.flag("global_pooling"):
        return _global(layer, method, param, x)
    kernel = extents(param, "kernel", 2, None, 1)
    strides, pads = extents(param, "stride", 2, 1, 1), extents(param, "pad", 2, 0)
    if any(p >= k for p, k in zip(pads, kernel, strict=True)):
        raise ModelError(f"padding of {list(pads)} for a window of {list(kernel)}")
    up = _rounds_up(param)
    if up:
        kernel = _within(x, kernel, strides, pads)
    window = (kernel, strides, pads * 2, (1, 1), up)
    if positions:
        y, where = layer.add(MaxPool(*window, indices=True), x)
        return y, layer.apply("Mod", where, layer.constant(math.prod(x.spec.shape[2:]), "int64"))
    if method == "MAX":
        return layer.add(MaxPool(*window), x)
    if method == "AVE":
        return layer.add(AveragePool(*window, True), x)
    if any(pads):
        raise ModelError("stochastic pooling with padding")
    return _stochastic(layer, x, lambda v: layer.add(AveragePool(*window), v))


def _global(layer: CaffeLayer, method: str, param: Message, x: Value) -> Value:
    for field, neutral in (("pad", 0), ("stride", 1)):
        if any(v != neutral for v in extents(param, field, 2, neutral)):
            raise ModelError(f"global pooling with {field}")
    if any(param.has(f) for f in ("kernel_size", "kernel_h", "kernel_w")):
        raise ModelError("global pooling with a window")
    param.ignore("round_mode", "ceil_mode")
    if method == "STOCHASTIC":
        return _stochastic(layer, x, lambda v: layer.add(GlobalAveragePool(), v))
    op = GlobalMaxPool() if method == "MAX" else GlobalAveragePool()
    result: Value = layer.add(op, x)
    return result


def _stochastic(layer: CaffeLayer, x: Value, mean: Any) -> Value:
    """When tested, each element is weighted by its own share of the window's sum."""
    total = layer.apply("Add", mean(x), layer.constant(_TINY))
    return layer.apply("Div", mean(layer.apply("Mul", x, x)), total)


def _rounds_up(param: Message) -> bool:
    if param.has("ceil_mode"):
        return param.flag("ceil_mode")
    return param.choice("round_mode", "CEIL", ("CEIL", "FLOOR")) == "CEIL"


def _within(
    x: Value, kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...]
) -> tuple[int, ...]:
    """The window, no larger than the padded input where rounding up lets one such in. Raises
    UnsupportedError where a window would lie behind the input: Caffe makes nonsense of it."""
    found = []
    for size, k, s, p in zip(x.spec.shape[2:], kernel, strides, pads, strict=True):
        room = size + 2 * p - k
        last = -(-room // s) * s  # where the last window begins
        if not any(pads) and last >= size > 0:
            raise UnsupportedError(f"a window of {k} in steps of {s} that begins behind {size}")
        found.append(size + 2 * p if 0 > room > -s else k)
    return tuple(found)
