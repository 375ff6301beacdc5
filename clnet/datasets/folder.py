"""Folders of images: one folder inside for each class. Needs Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from clnet.datasets.dataset import Dataset, normalizers
from clnet.errors import InputError
from clnet.images import Normalization, load_image

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif", ".tiff"}
#: Photos are decoded once and kept as long as all of them fit into this.
CACHE_BYTES = 256 << 20
_THREADS = 4


class Photos:
    """Files that are read as float32 [C, H, W] when they are asked for."""

    dtype = np.dtype(np.float32)

    def __init__(
        self, paths: Sequence[Path], shape: tuple[int, int, int], resize: str,
        normalization: Normalization,
    ) -> None:  # fmt: skip
        self.paths, self._resize = paths, resize
        self.shape: tuple[int, ...] = (len(paths), *shape)
        self._mean, self._scale = normalizers(normalization, shape[0])
        self._kept = np.prod(self.shape, dtype=np.int64) <= CACHE_BYTES
        self._pixels = np.zeros(self.shape, np.uint8) if self._kept else np.zeros(0, np.uint8)
        self._read = np.zeros(len(paths), bool)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, which: Any) -> np.ndarray:
        """Raises InputError naming the file that cannot be read."""
        chosen = np.arange(len(self.paths))[which]
        indices = np.atleast_1d(chosen)
        if self._kept:
            missing = np.unique(indices[~self._read[indices]])
            for index, pixels in zip(missing, self._decoded(missing), strict=True):
                self._pixels[index] = pixels
                self._read[index] = True
            pixels = self._pixels[indices]
        else:
            pixels = np.stack(self._decoded(indices))
        result = (pixels - self._mean) * self._scale
        return np.asarray(result if np.ndim(chosen) else result[0])

    def _decoded(self, indices: np.ndarray) -> list[np.ndarray]:
        def one(index: int) -> np.ndarray:
            return load_image(
                self.paths[index], self.shape[1:], layout="nchw", resize=self._resize, dtype="uint8"
            )

        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(one, indices))


def image_folder(
    folder: str | Path,
    shape: Sequence[int],
    *,
    classes: Sequence[str] | None = None,
    resize: str = "crop",
    normalization: Normalization | None = None,
) -> Dataset:
    """The images in ``folder``'s own folders, each of which is a class, as [C, H, W] of ``shape``.

    ``classes`` are the folders' names in order, sorted unless given: pass the training data's for
    what is to be validated with. ``resize`` and ``normalization`` are as in
    :func:`clnet.images.load_image`. Raises InputError where there are no images.
    """
    folder = Path(folder)
    if len(shape) != 3 or shape[0] not in (1, 3) or min(shape) < 1:
        raise InputError(f"images are [1 or 3, H, W], not {list(shape)}")
    try:
        found = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from None
    names = tuple(classes) if classes is not None else tuple(found)
    unknown = [name for name in found if name not in names]
    if unknown:
        raise InputError(f"{folder / unknown[0]} is none of the classes {', '.join(names)}")
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        images = sorted(p for p in (folder / name).glob("*") if p.suffix.lower() in _SUFFIXES)
        if not images:
            raise InputError(f"{folder / name} holds no images")
        paths += images
        labels += [label] * len(images)
    if not paths:
        raise InputError(f"{folder} holds no folders of images, one for each class")
    channels, height, width = shape
    photos = Photos(paths, (channels, height, width), resize, normalization or Normalization())
    return Dataset(photos, np.array(labels), names)
