"""DetectionPostProcess: the end of an SSD detector in one op. Computed on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, HostCall, In, Out, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.non_max_suppression import NonMaxSuppression
from clnet.tensor_spec import TensorSpec

#: Boxes that a run may give.
MAX_DETECTIONS = 1 << 20


@register
@dataclass(frozen=True)
class DetectionPostProcess(Op):
    """Encoded boxes[1,N,4+], scores[1,N,classes or one more for the background, which comes first]
    and anchors[N,4] → boxes[1,M,4] (y, x, y, x), classes[1,M], scores[1,M] and their number [1].

    Boxes and anchors are centre (y, x) and size (h, w): centres move by the encoded ones over
    ``scales`` in units of the anchor, sizes grow by the exponential. M is ``max_detections`` times
    ``max_classes``. Either every anchor counts with its best class and is given with its
    ``max_classes`` best (*fast*), or classes are looked through one by one, at most ``per_class``
    boxes of each, and the best of all are given (``regular``). What is not filled is 0.
    """

    foldable: ClassVar[bool] = False

    max_detections: int
    classes: int
    score_threshold: float
    iou_threshold: float
    scales: tuple[float, float, float, float]
    max_classes: int = 1
    per_class: int = 100
    regular: bool = False

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        boxes, scores, anchors = (present(s, n) for s, n in zip(
            inputs, ("boxes", "scores", "anchors"), strict=True))  # fmt: skip
        one_float_dtype(boxes, scores, anchors)
        ranks = (boxes.rank, scores.rank, anchors.rank) == (3, 3, 2)
        if not ranks or boxes.shape[2] < 4 or anchors.shape != (boxes.shape[1], 4):
            raise ShapeError(f"boxes {boxes} and anchors {anchors} do not fit together")
        if boxes.shape[0] != 1 or scores.shape[:2] != boxes.shape[:2]:
            raise ShapeError(f"boxes {boxes} and scores {scores} do not fit together")
        if self.classes < 1 or not 0 <= scores.shape[2] - self.classes <= 1:
            raise ShapeError(f"scores {scores} of {self.classes} classes")
        if 0 in self.scales or min(self.max_detections, self.max_classes, self.per_class) < 1:
            raise ShapeError("scales, max_detections and classes must be positive")
        count = self.max_detections * self.max_classes
        if count > MAX_DETECTIONS:
            raise ShapeError(f"{count} detections")
        shapes = ((1, count, 4), (1, count), (1, count), (1,))
        return tuple(boxes.with_shape(s) for s in shapes)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        encoded, scores, anchors = inputs
        assert encoded is not None and scores is not None and anchors is not None
        specs = self.infer(*map(TensorSpec.of, (encoded, scores, anchors)))
        boxes = self._decoded(encoded[0].astype(np.float64), anchors.astype(np.float64))
        known = scores[0, :, scores.shape[2] - self.classes :].astype(np.float32)
        found = self._regular(boxes, known) if self.regular else self._fast(boxes, known)
        outputs = [np.zeros(s.shape, s.dtype) for s in specs]
        places, anchor, label = found
        outputs[0][0, places] = boxes[anchor]
        outputs[1][0, places] = label
        outputs[2][0, places] = known[anchor, label]
        outputs[3][0] = len(anchor) if self.regular else len(set(anchor.tolist()))
        return tuple(outputs)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        inputs, outputs = (In(0), In(1), In(2)), tuple(Out(i) for i in range(4))
        return [Candidate("host", (HostCall(self.reference, inputs, outputs),))]

    def _decoded(self, encoded: np.ndarray, anchors: np.ndarray) -> np.ndarray:
        """The corners of the boxes, float32."""
        scales = np.array(self.scales)
        with np.errstate(over="ignore"):
            centres = encoded[:, :2] / scales[:2] * anchors[:, 2:] + anchors[:, :2]
            halves = 0.5 * np.exp(encoded[:, 2:4] / scales[2:]) * anchors[:, 2:]
            return np.concatenate([centres - halves, centres + halves], 1).astype(np.float32)

    def _suppressed(
        self, boxes: np.ndarray, scores: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Class and box of what stays of scores[N, classes], class by class. A score equal to the
        threshold is enough."""
        below = float(np.nextafter(np.float32(self.score_threshold), np.float32(-np.inf)))
        op = NonMaxSuppression(False, most, self.iou_threshold, below)
        (rows,) = op.reference(boxes[None], scores.T[None])
        return rows[:, 1], rows[:, 2]

    def _fast(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, ...]:
        """Where each detection goes, its anchor and its class."""
        _, anchor = self._suppressed(boxes, scores.max(1, keepdims=True), self.max_detections)
        given = min(self.max_classes, self.classes)
        best = np.argsort(-scores[anchor], 1, "stable")[:, :given]
        places = np.arange(len(anchor))[:, None] * self.max_classes + np.arange(given)
        return places.reshape(-1), np.repeat(anchor, given), best.reshape(-1)

    def _regular(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, ...]:
        """Likewise."""
        label, anchor = self._suppressed(boxes, scores, self.per_class)
        order = np.argsort(-scores[anchor, label], kind="stable")[: self.max_detections]
        return np.arange(len(order)), anchor[order], label[order]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        rng = np.random.default_rng(0)
        anchors = rng.uniform(0.2, 0.8, (20, 4))
        inputs = (Arg((1, 20, 4), low=-1, high=1), Arg((1, 20, 4), low=0.1, high=1),
                  Arg((20, 4), values=anchors))  # fmt: skip
        scales = (10.0, 10.0, 5.0, 5.0)
        for regular in (False, True):
            yield Case(cls(5, 3, 0.3, 0.5, scales, 2, 4, regular), inputs)
        yield Case(cls(30, 4, 0.0, 0.4, scales), inputs)
