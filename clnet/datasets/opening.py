"""Opens whatever holds samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clnet.datasets.dataset import Dataset
from clnet.datasets.folder import image_folder
from clnet.datasets.idx import has_idx, mnist
from clnet.errors import InputError
from clnet.images import Normalization

_FOLDERS = {"train": ("train", "training"), "test": ("test", "val", "validation")}


def open_dataset(
    path: str | Path,
    part: str = "train",
    shape: Sequence[int] | None = None,
    normalization: Normalization | None = None,
) -> Dataset | None:
    """The samples at ``path``; None where there is no such part.

    A folder with MNIST's files; a folder of folders of images, one for each class, or with
    "train" and "test" (or "val") above these; or an .npz file of arrays x and y, or of x_train,
    y_train, x_test and y_test. ``shape`` [C, H, W] is what images are brought to. Raises InputError
    for anything else.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return _arrays(path, part)
    if not path.is_dir():
        raise InputError(f"{path} is neither a folder nor an .npz file")
    if has_idx(path):
        return mnist(path, part, normalization)
    parts = [path / name for name in _FOLDERS[part] if (path / name).is_dir()]
    has_parts = any((path / name).is_dir() for names in _FOLDERS.values() for name in names)
    if (has_parts and not parts) or (not has_parts and part != "train"):
        return None
    if shape is None:
        raise InputError(f"{path} holds images: what shape do they get?")
    where = parts[0] if parts else path
    classes = image_classes(path) if part != "train" else None
    return image_folder(where, shape, classes=classes, normalization=normalization)


def image_classes(path: Path) -> tuple[str, ...]:
    """The classes of a folder's training images."""
    folders = [path / name for name in _FOLDERS["train"] if (path / name).is_dir()] or [path]
    return tuple(sorted(p.name for p in folders[0].iterdir() if p.is_dir() and p.name[0] != "."))


def _arrays(path: Path, part: str) -> Dataset | None:
    names = [("x", "y")] if part == "train" else []
    names.insert(0, (f"x_{part}", f"y_{part}"))
    try:
        with np.load(path) as file:
            for x, y in names:
                if x in file and y in file:
                    arrays = file[x], file[y]
                    break
            else:
                if part != "train":
                    return None
                raise InputError(f"{path} holds {', '.join(file)}; x and y are needed")
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if not len(arrays[0]) or len(arrays[0]) != len(arrays[1]):
        raise InputError(f"{path}: x has {len(arrays[0])} samples, y has {len(arrays[1])}")
    return Dataset(*arrays)
