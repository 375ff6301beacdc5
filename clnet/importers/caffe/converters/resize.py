"""Resampling layers of the forks."""

from __future__ import annotations

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.registry import converter
from clnet.ops.max_unpool import MaxUnpool
from clnet.ops.pad import Pad
from clnet.ops.resize import Resize

#: Rows or columns of what is resampled: for each there is an entry in a table.
MAX_SIDE = 1 << 16


@converter("Interp")
def interp(layer: CaffeLayer) -> Value:
    """Bilinear with the corners aligned (DeepLab). Negative pads crop first."""
    x = layer.of_rank(4)
    param = layer.param("interp_param")
    pads = (param.integer("pad_beg", 0), param.integer("pad_end", 0))
    if max(pads) > 0:
        raise ModelError(f"interp_param pads {list(pads)} are positive")
    if x.spec.rank != 4:
        raise ModelError(f"interpolation of {list(x.spec.shape)}, which has not 4 dimensions")
    if any(pads):
        begin, end = ((0, 0, p, p) for p in pads)
        x = layer.add(Pad((*begin, *end)), x)
    if min(x.spec.shape[2:]) < 1:
        raise ModelError(f"interp_param pads {list(pads)} leave nothing")
    height, width = _target(layer, param, *x.spec.shape[2:])
    return _resized(layer, x, (height, width), "linear", "align_corners")


def _resized(
    layer: CaffeLayer, x: Value, size: tuple[int, int], mode: str, coordinates: str
) -> Value:
    if max(size) > MAX_SIDE:
        raise ModelError(f"resampling to {size[0]}x{size[1]}")
    shape = (*x.spec.shape[:2], *size)
    op = Resize(shape, mode=mode, coordinate_mode=coordinates, nearest_mode="floor")
    result: Value = layer.add(op, x)
    return result


def _target(layer: CaffeLayer, param: Message, height: int, width: int) -> tuple[int, int]:
    """A size, factors, or the second bottom's size."""
    if param.has("height") or param.has("width"):
        return param.integer("height", None, 1), param.integer("width", None, 1)
    if param.has("shrink_factor") or param.has("zoom_factor"):
        shrink, zoom = param.integer("shrink_factor", 1, 1), param.integer("zoom_factor", 1, 1)
        h, w = ((size - 1) // shrink + 1 for size in (height, width))
        return h + (h - 1) * (zoom - 1), w + (w - 1) * (zoom - 1)
    h, w = layer.of_rank(4, 1).spec.shape[2:4]
    return h, w


@converter("Upsample")
def upsample(layer: CaffeLayer) -> Value:
    """Every element repeated (of the YOLO forks). Where there is a ``stride``, that is how often,
    and ``scale`` is a factor of the values. A second bottom says where pooling took the elements
    from, and there they go (SegNet's)."""
    param = layer.param("upsample_param")
    if len(layer.bottoms) > 1:
        return _unpooled(layer, param)
    x = layer.only(4)
    steps, value = _repeats(param)
    shape = x.spec.shape
    if param.has("height") or param.has("width"):
        size = param.integer("height", None, 1), param.integer("width", None, 1)
    else:
        size = shape[2] * steps[0], shape[3] * steps[1]
    y = _resized(layer, x, size, "nearest", "asymmetric")
    return y if value == 1.0 else layer.apply("Scale", y, factor=value)


def _unpooled(layer: CaffeLayer, param: Message) -> Value:
    """To ``upsample_h`` x ``upsample_w``, or ``scale`` times as large less what is padded."""
    height, width = layer.of_rank(4).spec.shape[2:4]
    given = param.integer("scale", 2, 1)
    size = tuple(
        param.integer(f"upsample_{side}", 0, 0)
        or extent * param.integer(f"scale_{side}", given, 1) - param.flag(f"pad_out_{side}")
        for side, extent in (("h", height), ("w", width))
    )
    if max(size) > MAX_SIDE:
        raise ModelError(f"unpooling to {size[0]}x{size[1]}")
    result: Value = layer.add(MaxUnpool((size[0], size[1])), layer.bottom(), layer.bottom(1))
    return result


def _repeats(param: Message) -> tuple[tuple[int, int], float]:
    """How often rows and columns repeat, and the factor of the values."""
    by_stride = any(param.has(f) for f in ("stride", "stride_h", "stride_w"))
    value = param.real("scale", 1.0)
    stem = "stride" if by_stride else "scale"
    if not by_stride and value != int(value):
        raise UnsupportedError(f"upsample_param.scale is {value}, which is not whole")
    common = param.integer("stride", 1, 1) if by_stride else int(value)
    steps = param.integer(f"{stem}_h", common, 1), param.integer(f"{stem}_w", common, 1)
    if min(steps) < 1:
        raise ModelError(f"upsampling by {list(steps)}")
    return steps, value if by_stride else 1.0
