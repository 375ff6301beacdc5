"""DetectionOutput: SSD's offsets from prior boxes become boxes. Computed on the host."""

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
from clnet.tensor_spec import TensorSpec

CODE_TYPES = ("CORNER", "CENTER_SIZE", "CORNER_SIZE")


@register
@dataclass(frozen=True)
class DetectionOutput(Op):
    """Locations [N, P·L·4], scores [N, P·C] and priors [1, 2, P·4] → [1, 1, n, 7].

    P priors are corners (x, y, x, y) and their variances, C is ``num_classes``, and L is 1 where
    all classes share their locations, else C. A row is (image, label, score, x1, y1, x2, y2), rows
    stand by image and label, the best first. Of each class the best box is taken, and those whose
    intersection over union with it exceeds ``nms_threshold`` are dropped, over and over, among the
    ``top_k`` best; ``nms_eta`` below 1 lowers the threshold each time while it is above 0.5. Then
    the ``keep_top_k`` best of an image stay. -1 means no limit. n is known only after the run; the
    inferred shape is the most there can be.
    """

    varies = True
    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    num_classes: int
    share_location: bool = True
    background_label_id: int = 0
    code_type: str = "CORNER"
    variance_encoded_in_target: bool = False
    confidence_threshold: float | None = None
    nms_threshold: float = 0.3
    nms_eta: float = 1.0
    top_k: int = -1
    keep_top_k: int = -1

    @property
    def location_classes(self) -> int:
        """How many locations a prior has."""
        return 1 if self.share_location else self.num_classes

    @property
    def _labels(self) -> list[int]:
        """The classes but the background."""
        return [c for c in range(self.num_classes) if c != self.background_label_id]

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        if len(inputs) != 3:
            raise ShapeError(f"{len(inputs)} inputs instead of locations, scores and priors")
        location, scores, priors = (
            present(s, n, 1) for s, n in zip(inputs, ("locations", "scores", "priors"), strict=True)
        )
        one_float_dtype(location, scores, priors)
        if self.code_type not in CODE_TYPES:
            raise ShapeError(f"code type {self.code_type} is unknown")
        count, images = priors.size // 8, location.shape[0]
        if (
            not count
            or priors.shape != (1, 2, 4 * count)
            or location.size != images * count * self.location_classes * 4
            or scores.size != images * count * self.num_classes
        ):
            raise ShapeError(
                f"locations {location}, scores {scores} and priors {priors} do not fit "
                f"{self.num_classes} classes"
            )
        each = count * len(self._labels)
        each = min(each, self.keep_top_k) if self.keep_top_k > -1 else each
        return (location.with_shape((1, 1, images * each, 7)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        location, scores, priors = (a for a in inputs if a is not None)
        dtype, images = location.dtype, location.shape[0]
        corners, variances = priors.astype(np.float64).reshape(2, -1, 1, 4)
        location = location.astype(np.float64).reshape(images, -1, self.location_classes, 4)
        scores = scores.reshape(images, -1, self.num_classes)
        with np.errstate(all="ignore"):
            rows = [
                np.array([image, label, scores[image, box, label], *boxes[box, column]])
                for image in range(images)
                for boxes in [self._decoded(location[image], corners, variances)]
                for label, box in self._detections(boxes, scores[image])
                for column in [0 if self.share_location else label]
            ]
        return (np.array(rows).reshape(1, 1, -1, 7).astype(dtype),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        call = HostCall(self.reference, (In(0), In(1), In(2)), (Out(),))
        return [Candidate("host", (call,))]

    def _decoded(
        self, location: np.ndarray, corners: np.ndarray, variances: np.ndarray
    ) -> np.ndarray:
        """The boxes that locations [P, L, 4] stand for, as corners."""
        if not self.variance_encoded_in_target:
            location = location * variances
        first, second = corners[..., :2], corners[..., 2:]
        size = second - first
        if self.code_type == "CORNER":
            return corners + location
        if self.code_type == "CORNER_SIZE":
            return corners + location * np.concatenate([size, size], -1)
        centre = (first + second) / 2 + location[..., :2] * size
        half = np.exp(location[..., 2:]) * size / 2
        return np.concatenate([centre - half, centre + half], -1)

    def _detections(self, boxes: np.ndarray, scores: np.ndarray) -> list[tuple[int, int]]:
        """(label, box) of what stays of one image."""
        found = [
            (label, box)
            for label in self._labels
            for box in self._suppressed(
                boxes[:, 0 if self.share_location else label], scores[:, label]
            )
        ]
        if -1 < self.keep_top_k < len(found):
            best = sorted(found, key=lambda pair: -float(scores[pair[1], pair[0]]))
            found = sorted(best[: self.keep_top_k], key=lambda pair: pair[0])
        return found

    def _suppressed(self, boxes: np.ndarray, scores: np.ndarray) -> list[int]:
        """The boxes of one class that no better one covers, best first."""
        order = np.argsort(-scores, kind="stable")
        if self.confidence_threshold is not None:
            order = order[scores[order] > self.confidence_threshold]
        if self.top_k > -1:
            order = order[: self.top_k]
        low, high = boxes[:, :2], boxes[:, 2:]
        areas = np.where((high < low).any(1), 0, (high - low).prod(1))
        threshold, chosen = self.nms_threshold, list[int]()
        covered = np.zeros(len(order))  # the largest overlap with a box that stays
        for i, best in enumerate(order):
            if not covered[i] <= threshold:
                continue
            chosen.append(int(best))
            rest = order[i + 1 :]
            common = np.minimum(high[best], high[rest]) - np.maximum(low[best], low[rest])
            shared = np.maximum(common, 0).prod(1)
            ratio = np.where(shared > 0, shared / (areas[best] + areas[rest] - shared), 0)
            covered[i + 1 :] = np.maximum(covered[i + 1 :], ratio)
            if self.nms_eta < 1 and threshold > 0.5:
                threshold *= self.nms_eta
        return chosen

    @classmethod
    def cases(cls) -> Iterable[Case]:
        priors = np.array([[0.1, 0.1, 0.5, 0.5], [0.12, 0.1, 0.5, 0.5], [0.6, 0.2, 0.9, 0.8]])
        variances = np.tile([0.1, 0.1, 0.2, 0.2], 3)
        boxes = Arg(values=np.stack([priors.reshape(-1), variances])[None])
        scores = Arg((2, 9), low=0.0, high=1.0)
        for code_type in CODE_TYPES:
            op = cls(3, code_type=code_type, nms_threshold=1.0)
            yield Case(op, (Arg((2, 12)), scores, boxes))
        op = cls(3, False, 1, "CENTER_SIZE", True, 0.3, 0.6, 0.9, 2, 2)
        yield Case(op, (Arg((2, 36), low=-0.1, high=0.1), scores, boxes))
