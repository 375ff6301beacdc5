"""Boxes without their overlapping rivals."""

from __future__ import annotations

from typing import Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.tflite.converters.arithmetic import as_dtype
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import converter
from clnet.ops.concat import Concat
from clnet.ops.gather import Gather
from clnet.ops.non_max_suppression import NonMaxSuppression
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice


@converter("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5")
def non_max_suppression(node: TfliteNode) -> Any:
    """Inputs: boxes of two corners, scores, most outputs, how much may overlap, lowest score. The
    outputs are as many as there may be, zeros behind those that stay, and how many do."""
    boxes, scores, most = node.input(0), node.input(1), int(node.scalar(2))
    scored = node.name.endswith("V5")
    if scored and node.scalar(5) != 0:
        raise UnsupportedError("scores that overlaps lower (soft_nms_sigma)")
    if boxes.spec.rank != 2 or not 0 < most <= boxes.spec.shape[0]:
        raise ModelError(f"{most} of the boxes {boxes.spec}")
    op = NonMaxSuppression(False, most, float(node.scalar(3)), float(node.scalar(4)))
    lists = node.add(Reshape((1, *boxes.spec.shape)), boxes)
    found = node.add(op, lists, node.add(Reshape((1, 1, scores.spec.size)), scores))
    places = node.add(Slice((2,), (3,), (1,)), found)  # of image, class and number
    spare = node.constant(np.zeros((most, 1)), "int64")
    whole = Slice((0,), (most,), (0,))
    chosen = node.add(whole, node.add(Concat(0), places, spare))
    indices = as_dtype(node, node.add(Reshape((most,)), chosen), "int32")
    there = as_dtype(node, node.apply("Equal", places, places), "int32")
    count = node.add(Reduce("Sum", (0, 1), False), there)
    if not scored:
        return indices, count
    absent = node.apply("LessOrEqual", count, node.constant(np.arange(most), "int32"))
    best = node.add(Gather(0), scores, indices)
    best = node.apply("Where", absent, node.constant(0, "float32"), best)
    return indices, best, count
