"""NonMaxSuppression: the best boxes that do not overlap a better one. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class NonMaxSuppression(Op):
    """boxes[B,N,4], scores[B,C,N] → int64[n,3]: (batch, class, box) of the boxes that stay.

    Boxes are two opposite corners (y, x, y, x), or with ``center_point_box`` (x, y, width, height).
    Class by class the best box is taken, and those whose intersection over union with it exceeds
    ``iou_threshold`` are dropped, until ``max_output_boxes_per_class`` are found. Boxes whose score
    is not above ``score_threshold`` never count. n is known only after the run; the inferred shape
    is the most there can be.
    """

    varies = True

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    center_point_box: bool = False
    max_output_boxes_per_class: int = 0
    iou_threshold: float = 0.0
    score_threshold: float | None = None

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        boxes, scores = inputs
        assert boxes is not None and scores is not None
        fits = boxes.rank == scores.rank == 3 and boxes.shape[2] == 4
        if not fits or boxes.shape[:2] != (scores.shape[0], scores.shape[2]):
            raise ShapeError(f"boxes {boxes} and scores {scores} do not fit together")
        batch, classes, count = scores.shape
        most = min(count, max(0, self.max_output_boxes_per_class))
        return (TensorSpec((batch * classes * most, 3), "int64"),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        boxes, scores = inputs
        assert boxes is not None and scores is not None
        boxes = boxes.astype(np.float32)  # areas in pixels overflow halves
        chosen = [
            (batch, c, box)
            for batch in range(len(boxes))
            for c in range(scores.shape[1])
            for box in self._select(self._corners(boxes[batch]), scores[batch, c])
        ]
        return (np.array(chosen, np.int64).reshape(-1, 3),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        return [Candidate("host", (HostCall(self.reference, (In(0), In(1)), (Out(),)),))]

    def _corners(self, boxes: np.ndarray) -> np.ndarray:
        """Lower and upper corner of each box, [2,2,N]."""
        first, second = boxes[:, :2].T, boxes[:, 2:].T
        if self.center_point_box:
            return np.stack([first - second / 2, first + second / 2])
        return np.stack([np.minimum(first, second), np.maximum(first, second)])

    def _select(self, corners: np.ndarray, scores: np.ndarray) -> list[int]:
        """The boxes of one class that stay, best first; of equal scores the lower index."""
        order = np.argsort(-scores, kind="stable")
        if self.score_threshold is not None:
            order = order[scores[order] > self.score_threshold]
        areas = np.prod(corners[1] - corners[0], 0)
        chosen: list[int] = []
        while len(order) and len(chosen) < self.max_output_boxes_per_class:
            best, order = order[0], order[1:]
            chosen.append(int(best))
            low = np.maximum(corners[0][:, best, None], corners[0][:, order])
            high = np.minimum(corners[1][:, best, None], corners[1][:, order])
            common = np.prod(np.maximum(high - low, 0), 0)
            union = areas[best] + areas[order] - common
            order = order[~(common > self.iou_threshold * union)]
        return chosen

    @classmethod
    def cases(cls) -> Iterable[Case]:
        boxes = [[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [1, 1, 0, -0.1], [0, 10, 1, 11]]]
        scores = [[[0.9, 0.75, 0.6, 0.95], [0.1, 0.2, 0.2, 0.0]]]
        shown = (Arg(values=boxes), Arg(values=scores))
        yield Case(cls(False, 2, 0.5), shown)
        yield Case(cls(True, 9, 1.0), shown)
