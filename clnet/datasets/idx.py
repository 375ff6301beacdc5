"""IDX files, as MNIST comes in: plain or gzipped.

A magic number (0, 0, type, rank), each dimension as a big-endian 32-bit number, then the elements:
http://yann.lecun.com/exdb/mnist (LeCun, Cortes & Burges).
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from clnet.datasets.dataset import Dataset, Pixels
from clnet.errors import InputError
from clnet.images import Normalization

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: Larger files are refused: a few bytes of gzip may claim any size.
MAX_BYTES = 4 << 30
_PARTS = {"train": ("train",), "test": ("t10k", "test")}
_DIGITS = 10


def read_idx(path: str | Path) -> np.ndarray:
    """The array of an IDX file. Raises InputError naming what is wrong, and for a file that ends
    early the element of the first dimension in which it does."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as stream:
            head = stream.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3]:
                raise InputError(f"{path} is not an IDX file")
            dtype, rank = np.dtype(_TYPES[head[2]]), head[3]
            sizes = stream.read(4 * rank)
            if len(sizes) < 4 * rank:
                raise InputError(f"{path} ends within its header")
            shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
            count = math.prod(shape) * dtype.itemsize
            if count > MAX_BYTES:
                raise InputError(f"{path} claims {count} bytes, more than {MAX_BYTES >> 30} GiB")
            data, cut = _content(stream, count)
            if len(data) < count:
                each = max(1, count // shape[0])
                why = "is damaged" if cut else "ends"
                raise InputError(f"{path} {why} within element {len(data) // each} of {shape[0]}")
            if cut or stream.read(1):
                raise InputError(f"{path} goes on behind its {shape[0]} elements")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    values = np.frombuffer(data, dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _content(stream: object, count: int) -> tuple[bytes, bool]:
    """Up to ``count`` bytes, and whether decompression failed before."""
    parts: list[bytes] = []
    left = count
    try:
        while left and (part := stream.read(min(left, 1 << 20))):  # type: ignore[attr-defined]
            parts.append(part)
            left -= len(part)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b"".join(parts), True
    return b"".join(parts), False


def mnist(
    folder: str | Path, part: str = "train", normalization: Normalization | None = None
) -> Dataset:
    """MNIST, or what comes in the same files (Fashion-MNIST, KMNIST…): x[N, 1, H, W] as Pixels and
    labels y[N].

    ``part`` is "train" or "test". Raises InputError where a file is missing, or images and labels
    do not fit together.
    """
    folder = Path(folder)
    if part not in _PARTS:
        raise InputError(f"MNIST has a part 'train' and a part 'test', not {part!r}")
    image_file, label_file = (_find(folder, part, kind) for kind in ("images", "labels"))
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise InputError(f"{image_file} holds {images.dtype} {list(images.shape)}, not images")
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{label_file} holds {labels.dtype} {list(labels.shape)}, not labels")
    if len(images) != len(labels):
        raise InputError(f"{image_file} has {len(images)} images, {label_file} {len(labels)}")
    y = labels.astype(np.int64)
    classes = tuple(str(c) for c in range(max(_DIGITS, 1 + int(y.max(initial=0)))))
    return Dataset(Pixels(images[:, None], normalization), y, classes)


def has_idx(folder: Path) -> bool:
    """Whether ``mnist`` would find its files."""
    return any(folder.glob("*-images*idx3-ubyte*")) or any(folder.glob("*-images.idx3-ubyte*"))


def _find(folder: Path, part: str, kind: str) -> Path:
    for prefix in _PARTS[part]:
        found = sorted(p for p in folder.glob(f"{prefix}-{kind}*ubyte*") if p.is_file())
        if found:
            return found[0]
    raise InputError(f"{folder} has no file like {_PARTS[part][0]}-{kind}-idx?-ubyte.gz")
