"""What detectors end with."""

from __future__ import annotations

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter
from clnet.ops.non_max_suppression import NonMaxSuppression
from clnet.ops.roi_pool import RoiPool


@spelling(NonMaxSuppression)
def non_max_suppression(write: NodeWriter) -> str:
    op = write.op
    limits = [
        write.constant([op.max_output_boxes_per_class]),
        write.constant([op.iou_threshold], "float32"),
    ]
    if op.score_threshold is not None:
        limits.append(write.constant([op.score_threshold], "float32"))
    return write.add(
        "NonMaxSuppression", *write.inputs, *limits, center_point_box=op.center_point_box
    )


@spelling(RoiPool)
def roi_pool(write: NodeWriter) -> str:
    return write.add(
        "MaxRoiPool", *write.inputs, pooled_shape=write.op.size, spatial_scale=write.op.scale
    )
