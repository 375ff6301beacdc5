"""`clnet run --detect`: the objects that a detector found, listed and drawn on the photo."""

from __future__ import annotations

import argparse
import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clnet.cli.output import dimensions, print_json, print_table, printable
from clnet.errors import InputError
from clnet.images import open_image, photo_frame

if TYPE_CHECKING:
    from PIL.Image import Image

_BACKGROUND = ("background", "__background__", "none")


@dataclass(frozen=True)
class Found:
    """An object: its class, how sure that is, and left, top, right and bottom. These are parts of
    the network's input as :func:`find` gives them, pixels of the photo after :func:`on_photo`."""

    index: int
    score: float
    box: tuple[float, float, float, float]
    label: str | None = None


def find(outputs: Mapping[str, np.ndarray], threshold: float, overlap: float) -> list[Found]:
    """The objects in a detector's outputs, the surest first.

    Two forms of outputs are known: [1, N, 5 + classes] with rows of centre x and y, width, height,
    object and classes' scores (Darknet), and [1, 1, N, 7] or [N, 7] with rows of image, class,
    score, left, top, right and bottom (SSD). Class by class, what overlaps a surer object by more
    than ``overlap`` (intersection over union) is dropped. Raises InputError where no output fits.
    """
    tables = [table for array in outputs.values() if (table := _table(array)) is not None]
    if not tables:
        there = ", ".join(f"{n} {dimensions(a.shape)}" for n, a in outputs.items())
        raise InputError(f"no output holds boxes: {there}")
    boxes, classes, scores = (np.concatenate(part) for part in zip(*tables, strict=True))
    sure = (scores > threshold) & np.isfinite(boxes).all(1)
    boxes, classes, scores = boxes[sure], classes[sure], scores[sure]
    kept = [
        Found(int(index), float(scores[i]), tuple(boxes[i].tolist()))
        for index in np.unique(classes)
        for i in _suppressed(boxes, scores, np.flatnonzero(classes == index), overlap)
    ]
    return sorted(kept, key=lambda found: -found.score)


def _table(array: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Corners, class and score of each candidate in an output; None for other outputs."""
    shape = array.shape
    if len(shape) == 3 and shape[0] == 1 and shape[2] > 5:
        rows = array[0].astype(np.float32)
        scores = rows[:, 5:]
        which, classes = np.nonzero(scores > 0)
        centre, half = rows[which, :2], rows[which, 2:4] / 2
        with np.errstate(invalid="ignore"):
            corners = np.concatenate([centre - half, centre + half], axis=1)
        return corners, classes, scores[which, classes]
    if len(shape) in (2, 4) and shape[-1] == 7 and set(shape[:-2]) <= {1}:
        rows = array.reshape(-1, 7).astype(np.float32)
        rows = rows[(rows[:, 0] == 0) & np.isfinite(rows[:, 1])]
        return rows[:, 3:], rows[:, 1].astype(np.int64), rows[:, 2]
    return None


def _suppressed(
    boxes: np.ndarray, scores: np.ndarray, candidates: np.ndarray, overlap: float
) -> list[int]:
    """The candidates that overlap no surer one that stays."""
    order = candidates[np.argsort(-scores[candidates], kind="stable")]
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.clip(high - low, 0, None).prod(1)
        order = rest[shared <= overlap * (areas[best] + areas[rest] - shared)]
    return kept


def named(
    objects: Sequence[Found], outputs: Mapping[str, np.ndarray], labels: Sequence[str]
) -> list[Found]:
    """The objects with their labels. SSD's class 0 is the background, which labels may leave out.
    Raises InputError where there are fewer labels than classes."""
    if not labels:
        return list(objects)
    counts = [a.shape[2] - 5 for a in outputs.values() if a.ndim == 3 and _table(a) is not None]
    first = 0
    if not counts:
        first = 0 if labels[0].lower() in _BACKGROUND else 1
    classes = max([*counts, *(found.index - first + 1 for found in objects)])
    if classes > len(labels):
        raise InputError(f"{len(labels)} labels do not fit: the model has {classes} classes")
    return [
        Found(f.index, f.score, f.box, labels[f.index - first] if f.index >= first else None)
        for f in objects
    ]


def on_photo(
    objects: Sequence[Found], frame: tuple[float, float, float, float], width: int, height: int
) -> list[Found]:
    """The objects in pixels of the photo, which fills ``frame`` of the network's input."""
    left, top, wide, high = frame
    scale = np.array([width / wide, height / high] * 2)
    limits = np.array([width, height] * 2)
    moved = []
    for found in objects:
        box = np.clip((np.array(found.box) - (left, top, left, top)) * scale, 0, limits)
        moved.append(Found(found.index, found.score, tuple(box.tolist()), found.label))
    return moved


def draw(image: Image, objects: Sequence[Found]) -> None:
    """A box and a label around each object, the surest on top."""
    from PIL import ImageDraw, ImageFont

    pen = ImageDraw.Draw(image)
    thickness = max(2, min(image.size) // 200)
    font = ImageFont.load_default(size=max(12, min(image.size) // 32))
    for found in reversed(objects):
        red, green, blue = colorsys.hsv_to_rgb(found.index * 0.618 % 1, 0.8, 1.0)
        colour = (int(red * 255), int(green * 255), int(blue * 255))
        left, top, right, bottom = found.box
        pen.rectangle((left, top, right, bottom), outline=colour, width=thickness)
        text = f"{title(found)} {found.score:.0%}"
        _, _, wide, high = pen.textbbox((0, 0), text, font=font, anchor="lt")
        margin = max(2, high // 4)
        above = max(0, top - high - 2 * margin)
        beside = max(0, min(left, image.width - wide - 2 * margin))
        corner = beside + wide + 2 * margin, above + high + 2 * margin
        pen.rectangle((beside, above, *corner), fill=colour)
        pen.text((beside + margin, above + margin), text, fill="black", font=font, anchor="lt")


def title(found: Found) -> str:
    """The object's label, or the number of its class."""
    return found.label if found.label is not None else f"class {found.index}"


def report(
    arguments: argparse.Namespace, outputs: Mapping[str, np.ndarray], shape: Sequence[int],
    labels: Sequence[str], device: str,
) -> None:  # fmt: skip
    """List the objects in the photo and draw them if ``--output`` names a picture. ``shape`` is
    that of the network's input."""
    objects = named(find(outputs, arguments.threshold, arguments.nms), outputs, labels)
    image = open_image(arguments.image)
    frame = photo_frame(image.size, shape, layout=arguments.layout, resize=arguments.resize)
    objects = on_photo(objects, frame, *image.size)
    if arguments.output and not is_archive(arguments.output):
        draw(image, objects)
        try:
            image.save(arguments.output)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot write {arguments.output}: {reason}") from None
    if arguments.json:
        plain = [
            {"class": f.index, "label": f.label, "score": f.score, "box": f.box} for f in objects
        ]
        print_json({"model": arguments.model, "device": device, "objects": plain})
        return
    rows = [
        (printable(title(f)), f"{f.score:.2%}", *(f"{edge:.0f}" for edge in f.box)) for f in objects
    ]
    print_table(("object", "score", "left", "top", "right", "bottom"), rows, right=" rrrrr")


def is_archive(path: Path) -> bool:
    """Whether an output is for arrays rather than a picture."""
    return path.suffix.lower() == ".npz"
