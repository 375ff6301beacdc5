"""The ends of detectors: SSD's prior boxes and decoding, and the pooling of regions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clnet.errors import ModelError, ShapeError
from clnet.graph import Value
from clnet.importers.caffe.layer import CaffeLayer
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.registry import converter
from clnet.ops.detection_output import CODE_TYPES, DetectionOutput
from clnet.ops.roi_pool import RoiPool

#: Numbers that describe the prior boxes of one layer; those of SSD512 are 200,000 in all.
MAX_NUMBERS = 4 << 20
#: Sizes and aspect ratios of prior boxes; SSD has at most two of each.
MAX_SIZES = 64


@converter("PriorBox")
def prior_box(layer: CaffeLayer) -> Value:
    """[1, 2, 4 · boxes]: corners (x, y, x, y) as parts of the photo, then their variances."""
    rows, columns = layer.of_rank(4).spec.shape[2:4]
    param = layer.param("prior_box_param")
    photo = _photo_size(layer, param)
    steps = _sides(param, "step", None) or tuple(
        p / s for p, s in zip(photo, (rows, columns), strict=True)
    )
    sizes = _box_sizes(param)
    if 8 * rows * columns * len(sizes) > MAX_NUMBERS:
        raise ModelError(f"{len(sizes)} prior boxes at each of {rows}x{columns} positions")
    offset = param.real("offset", 0.5)
    y, x = ((np.arange(n) + offset) * s for n, s in zip((rows, columns), steps, strict=True))
    centres = np.stack(np.broadcast_arrays(x, y[:, None]), -1)[:, :, None]
    halves = np.array(sizes).reshape(-1, 2) / 2
    boxes = np.concatenate(np.broadcast_arrays(centres - halves, centres + halves), -1)
    boxes = boxes / (photo[1], photo[0], photo[1], photo[0])
    if param.flag("clip"):
        boxes = boxes.clip(0, 1)
    variances = np.broadcast_to(_variances(param), boxes.shape)
    return layer.constant(np.stack([boxes.reshape(-1), variances.reshape(-1)])[None])


def _photo_size(layer: CaffeLayer, param: Message) -> tuple[float, float]:
    """Height and width of the photo: given, or those of the second bottom."""
    given = _sides(param, "img", "img_size")
    if given:
        return given
    height, width = layer.of_rank(4, 1).spec.shape[2:4]
    if not height or not width:
        raise ShapeError(f"prior boxes of a photo of {height}x{width}")
    return height, width


def _sides(param: Message, stem: str, common: str | None) -> tuple[float, float] | None:
    """``stem_h`` and ``stem_w``, or one for both, or None."""
    both, one = (f"{stem}_h", f"{stem}_w"), common or stem
    found = [param.real(f) for f in (both if param.has(both[0]) else (one, one)) if param.has(f)]
    if not found:
        return None
    if len(found) != 2 or min(found) <= 0:
        raise ModelError(f"{param.name}.{stem} is incomplete or not positive")
    return found[0], found[1]


def _box_sizes(param: Message) -> list[tuple[float, float]]:
    """Width and height of the boxes at each position. Caffe takes whole pixels of the sizes."""
    smallest, largest = ([math.trunc(v) for v in param.reals(f)] for f in ("min_size", "max_size"))
    given, ratios = param.reals("aspect_ratio"), [1.0]
    if max(len(smallest), len(largest), len(given)) > MAX_SIZES:
        raise ModelError(f"prior boxes of more than {MAX_SIZES} sizes or aspect ratios")
    for ratio in given:
        if ratio <= 0:
            raise ModelError(f"prior_box_param.aspect_ratio is {ratio}")
        if all(abs(ratio - known) >= 1e-6 for known in ratios):
            ratios += [ratio, 1 / ratio] if param.flag("flip", True) else [ratio]
    param.ignore("flip")
    if not smallest or min(smallest) <= 0 or len(largest) not in (0, len(smallest)):
        raise ModelError(f"prior boxes of min_size {smallest} and max_size {largest}")
    sizes = []
    for i, size in enumerate(smallest):
        sizes.append((float(size), float(size)))
        if largest:
            if largest[i] <= size:
                raise ModelError(f"prior boxes of min_size {size} and max_size {largest[i]}")
            sizes.append((math.sqrt(size * largest[i]),) * 2)
        sizes += [
            (size * math.sqrt(r), size / math.sqrt(r)) for r in ratios if abs(r - 1.0) >= 1e-6
        ]
    return sizes


def _variances(param: Message) -> tuple[float, ...]:
    given = param.reals("variance") or (0.1,)
    if len(given) not in (1, 4) or min(given) <= 0:
        raise ModelError(f"prior_box_param.variance is {list(given)[:5]}")
    return given


@converter("DetectionOutput")
def detection_output(layer: CaffeLayer) -> Any:
    """[1, 1, n, 7]: image, label, score, x1, y1, x2, y2."""
    param = layer.param("detection_output_param")
    param.ignore("save_output_param", "visualize", "visualize_threshold", "save_file")
    nms = param.message("nms_param")
    threshold = param.real("confidence_threshold") if param.has("confidence_threshold") else None
    op = DetectionOutput(
        num_classes=param.integer("num_classes", None, 1),
        share_location=param.flag("share_location", True),
        background_label_id=param.integer("background_label_id", 0),
        code_type=param.choice("code_type", "CORNER", CODE_TYPES, first=1),
        variance_encoded_in_target=param.flag("variance_encoded_in_target"),
        confidence_threshold=threshold,
        nms_threshold=nms.real("nms_threshold", 0.3),
        nms_eta=nms.real("eta", 1.0),
        top_k=nms.integer("top_k", -1),
        keep_top_k=param.integer("keep_top_k", -1),
    )
    return layer.add(op, *(layer.bottom(i) for i in range(max(3, len(layer.bottoms)))))


@converter("ROIPooling")
def roi_pooling(layer: CaffeLayer) -> Value:
    param = layer.param("roi_pooling_param")
    size = param.integer("pooled_h", None, 1), param.integer("pooled_w", None, 1)
    op = RoiPool(size, param.real("spatial_scale", 1.0))
    result: Value = layer.add(op, layer.bottom(0), layer.bottom(1))
    return result
