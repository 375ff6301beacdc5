"""Draws the faces that UltraFace finds on a photo.

    python examples/face_detection.py version-RFB-320.onnx photo.jpg faces.png

The models (MIT licence) are those of Linzaer's Ultra-Light-Fast-Generic-Face-Detector-1MB: RFB-320
and slim-320, 320 by 240 pixels, with the decoding of boxes in the model or without it.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import clnet
from clnet.images import PRESETS, load_image, open_image

# What the models were trained with: anchor sizes in pixels for each stride, and how offsets from
# an anchor's centre and size are scaled.
ANCHORS = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2


@dataclass(frozen=True)
class Face:
    """Corners as fractions of the photo's width and height."""

    box: tuple[float, float, float, float]
    score: float


def anchors(width: int, height: int) -> np.ndarray:
    """Centre x, centre y, width and height of every anchor, as fractions."""
    rows = []
    for stride, sizes in ANCHORS.items():
        columns, lines = -(-width // stride), -(-height // stride)
        for y, x, size in itertools.product(range(lines), range(columns), sizes):
            centre = (x + 0.5) / columns, (y + 0.5) / lines
            rows.append((*centre, size / width, size / height))
    return np.clip(np.array(rows, np.float32), 0, 1)


def decode(offsets: np.ndarray, width: int, height: int) -> np.ndarray:
    """Corners out of what the model without decoding says about each anchor."""
    priors = anchors(width, height)
    centres = offsets[:, :2] * CENTRE_VARIANCE * priors[:, 2:] + priors[:, :2]
    sizes = np.exp(offsets[:, 2:] * SIZE_VARIANCE) * priors[:, 2:]
    return np.hstack([centres - sizes / 2, centres + sizes / 2])


def is_decoded(boxes: np.ndarray) -> bool:
    """Corners are ordered for every anchor; raw offsets are not."""
    return bool((boxes[:, 2:] > boxes[:, :2]).all())


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> list[int]:
    """Greedy non-maximum suppression: the best boxes that overlap no better one."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-scores)
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        order = rest[shared <= overlap * (areas[best] + areas[rest] - shared)]
    return kept


def detect(session: clnet.Session, photo: str, threshold: float, overlap: float) -> list[Face]:
    """The faces in a photo, the surest first."""
    (model_input,) = session.inputs
    height, width = model_input.shape[2:]
    with session.map_input(model_input.name) as view:
        view[...] = load_image(photo, model_input.shape, normalization=PRESETS["ultraface"])
    session.execute()
    with session.map_output("scores") as view:
        scores = view[0, :, 1].copy()
    with session.map_output("boxes") as view:
        boxes = view[0].copy()
    if not is_decoded(boxes):
        boxes = decode(boxes, width, height)
    sure = scores > threshold
    boxes, scores = boxes[sure], scores[sure]
    return [
        Face(tuple(boxes[i].tolist()), float(scores[i])) for i in suppress(boxes, scores, overlap)
    ]


def draw(photo: str, faces: list[Face]) -> Image.Image:
    """The photo with a box and a score around each face."""
    image = open_image(photo)
    pen = ImageDraw.Draw(image)
    thickness = max(2, image.width // 300)
    font = ImageFont.load_default(size=max(14, image.height // 35))
    for face in faces:
        left, top, right, bottom = np.clip(face.box, 0, 1) * (image.size * 2)
        pen.rectangle((left, top, right, bottom), outline="lime", width=thickness)
        text = f"{face.score:.0%}"
        _, _, text_width, text_height = pen.textbbox((0, 0), text, font=font, anchor="lt")
        margin = text_height // 3
        label_height = text_height + 2 * margin
        above = top - label_height if top >= label_height else top
        corner = left + text_width + 2 * margin, above + label_height
        pen.rectangle((left, above, *corner), fill="lime")
        pen.text((left + margin, above + margin), text, fill="black", font=font, anchor="lt")
    return image


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="UltraFace as ONNX, for instance version-RFB-320.onnx")
    parser.add_argument("photo")
    parser.add_argument("output", nargs="?", default="faces.png", help="default: faces.png")
    parser.add_argument("--device", help="as for `clnet run`")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    parser.add_argument("--threshold", type=float, default=0.7, help="least score (default: 0.7)")
    parser.add_argument("--overlap", type=float, default=0.3, help="most overlap (default: 0.3)")
    arguments = parser.parse_args()
    try:
        with clnet.load(arguments.model, arguments.device, arguments.precision) as session:
            detect(session, arguments.photo, arguments.threshold, arguments.overlap)  # warm up
            started = time.perf_counter()
            faces = detect(session, arguments.photo, arguments.threshold, arguments.overlap)
            milliseconds = (time.perf_counter() - started) * 1e3
            device = session.device
        image = draw(arguments.photo, faces)
        image.save(arguments.output)
    except (clnet.ClnetError, OSError, ValueError) as error:
        print(f"face_detection: {error}", file=sys.stderr)
        return 2
    found = f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
    print(f"{found} in {milliseconds:.1f} ms (photo included) on {device}: {arguments.output}")
    for face in faces:
        left, top, right, bottom = np.clip(face.box, 0, 1) * (image.size * 2)
        print(f"  {face.score:7.2%}  ({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
