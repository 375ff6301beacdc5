"""The ends of detectors: the best scores, and boxes without their overlapping rivals."""

from __future__ import annotations

from typing import Any

from clnet.errors import ModelError
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.non_max_suppression import NonMaxSuppression
from clnet.ops.roi_pool import RoiPool
from clnet.ops.top_k import TopK


@converter("TopK")
def top_k(node: OnnxNode) -> Any:
    x = node.input()
    axis = node.axis("axis", -1, x.spec.rank)
    count = node.integer("k") if node.opset < 10 else int(node.scalar(1))
    if x.spec.rank == 0 or not 0 <= count <= x.spec.shape[axis]:
        raise ModelError(f"the best {count} along axis {axis} of {x.spec}")
    return node.add(TopK(count, axis, node.flag("largest", True), node.flag("sorted", True)), x)


@converter("NonMaxSuppression")
def non_max_suppression(node: OnnxNode) -> Any:
    op = NonMaxSuppression(
        center_point_box=node.flag("center_point_box"),
        max_output_boxes_per_class=int(node.scalar(2)) if node.has(2) else 0,
        iou_threshold=float(node.scalar(3)) if node.has(3) else 0.0,
        score_threshold=float(node.scalar(4)) if node.has(4) else None,
    )
    return node.add(op, node.input(0), node.input(1))


@converter("MaxRoiPool")
def max_roi_pool(node: OnnxNode) -> Any:
    size = node.integers("pooled_shape")
    if len(size) != 2:
        raise ModelError(f"a region in {list(size)} parts")
    return node.add(RoiPool(size, node.real("spatial_scale", 1.0)), node.input(0), node.input(1))
