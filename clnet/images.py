"""Photos as model inputs. Needs Pillow: `pip install clnet[images]`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clnet.errors import ClnetError, InputError

if TYPE_CHECKING:
    from PIL.Image import Image

#: Larger photos are refused: a few bytes of a file may claim any size.
MAX_PIXELS = 100_000_000

LAYOUTS = ("nchw", "nhwc")
ORDERS = ("rgb", "bgr")
RESIZES = ("stretch", "crop", "fit")

_FIT_GREY = 127  # what `fit` leaves around the photo


@dataclass(frozen=True)
class Normalization:
    """What a model was trained on: ``(pixel - mean) * scale`` per channel, pixels 0 to 255.

    ``mean`` and ``scale`` hold one number, or one per channel in the model's ``order``.
    """

    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1 / 255,)
    order: str = "rgb"


#: Normalisations that many models share.
PRESETS = {
    "zero-one": Normalization(),
    "minus-one-one": Normalization((127.5,), (1 / 127.5,)),
    "raw": Normalization((0.0,), (1.0,)),
    "imagenet": Normalization(
        (123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)
    ),  # torchvision's
    "caffe": Normalization((104.0, 117.0, 123.0), (1.0,), "bgr"),
    "ultraface": Normalization((127.0,), (1 / 128,)),
}


def load_image(
    path: str | Path,
    shape: Sequence[int],
    *,
    normalization: Normalization | None = None,
    layout: str | None = None,
    resize: str = "stretch",
    dtype: str = "float32",
) -> np.ndarray:
    """A photo as an array of ``shape`` and ``dtype``, as a model takes it.

    ``shape`` is that of a single photo with 1 or 3 channels: [1,C,H,W], [1,H,W,C], either without
    the 1, or [H,W]. ``layout`` is needed only where both readings fit. ``normalization`` defaults
    to x/255 for floats; integers get the pixels as they are. ``resize`` says what happens to
    another aspect ratio: "stretch" it, "crop" the middle, or "fit" all of it between grey bars.

    Raises InputError for what cannot be read, is too large, or does not fit ``shape``.
    """
    is_float = np.issubdtype(np.dtype(dtype), np.floating)
    if normalization is None:
        normalization = PRESETS["zero-one" if is_float else "raw"]
    height, width, channels, layout = _geometry(tuple(shape), layout)
    image = _resized(open_image(path, channels), width, height, resize)
    pixels = np.asarray(image, np.float32).reshape(height, width, channels)
    if normalization.order == "bgr":
        pixels = pixels[:, :, ::-1]
    values = (pixels - _each("mean", normalization.mean, channels)) * _each(
        "scale", normalization.scale, channels
    )
    if not is_float:
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    if layout == "nchw":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values, dtype).reshape(shape)


def photo_frame(
    size: tuple[int, int], shape: Sequence[int], *, layout: str | None = None,
    resize: str = "stretch",
) -> tuple[float, float, float, float]:  # fmt: skip
    """Where :func:`load_image` puts a photo of ``size`` (width, height): left, top, width and
    height as parts of the input. What "crop" cuts off lies outside 0 to 1."""
    height, width, _, _ = _geometry(tuple(shape), layout)
    if resize == "stretch":
        return 0.0, 0.0, 1.0, 1.0
    factors = width / size[0], height / size[1]
    factor = min(factors) if resize == "fit" else max(factors)
    wide, high = size[0] * factor / width, size[1] * factor / height
    return (1 - wide) / 2, (1 - high) / 2, wide, high


def open_image(path: str | Path, channels: int = 3) -> Image:
    """A photo, upright, with 3 channels (RGB) or 1 (grey). Raises InputError."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ClnetError("photos need Pillow: pip install pillow") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have our own limit
            image: Image.Image = Image.open(path)
        if image.width * image.height > MAX_PIXELS:
            raise InputError(
                f"{path}: {image.width}x{image.height} pixels; more than {MAX_PIXELS} are refused"
            )
        if image.mode.startswith("I;16"):  # Pillow would clip 16 bits to 8
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return ImageOps.exif_transpose(image).convert("RGB" if channels == 3 else "L")
    except Image.UnidentifiedImageError:
        raise InputError(f"{path} is not an image that Pillow can read") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # as Pillow's decoders fail
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"cannot read {path}: {reason}") from None


def _geometry(shape: tuple[int, ...], layout: str | None) -> tuple[int, int, int, str]:
    """Height, width, channels and layout of a model's input."""
    described = "x".join(map(str, shape))
    if len(shape) == 2 and min(shape) > 1:  # [1,N] holds features
        return (*shape, 1, "nhwc")
    if len(shape) not in (3, 4):
        raise InputError(f"a photo does not fit an input of shape {described}")
    if len(shape) == 4 and shape[0] != 1:
        raise InputError(f"one photo does not fill a batch of {shape[0]} (shape {described})")
    first, second, third = shape[-3:]
    layout = layout or ("nchw" if first in (1, 3) else "nhwc")
    channels, height, width = (first, second, third) if layout == "nchw" else (third, first, second)
    if channels not in (1, 3) or not height or not width:
        raise InputError(f"a photo does not fit an input of shape {described} ({layout})")
    return height, width, channels, layout


def _resized(image: Image, width: int, height: int, resize: str) -> Image:
    from PIL import Image, ImageOps

    if resize == "stretch":
        return image.resize((width, height), Image.Resampling.BILINEAR)
    if resize == "crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    if resize == "fit":
        grey = (_FIT_GREY,) * len(image.getbands())
        colour = grey if len(grey) > 1 else _FIT_GREY
        return ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR, color=colour)
    raise InputError(f"resize {resize!r} is none of {', '.join(RESIZES)}")


def _each(name: str, values: Sequence[float], channels: int) -> np.ndarray:
    """One number per channel."""
    if len(values) not in (1, channels):
        raise InputError(f"{len(values)} numbers as {name}, but the model has {channels} channels")
    return np.broadcast_to(np.asarray(values, np.float32), (channels,))
