"""IDX files, folders of images, NumPy files: what is read, and what is refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from golden import DATA

from clnet.datasets import image_folder, mnist, open_dataset, read_idx
from clnet.datasets.folder import Photos
from clnet.errors import InputError
from clnet.images import Normalization

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 4, 3), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)


def idx(array: np.ndarray, code: int = 8) -> bytes:
    head = struct.pack(">HBB", 0, code, array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(LABELS))
    return tmp_path


def photos(folder: Path, count: int = 3) -> Path:
    pillow = pytest.importorskip("PIL.Image")
    for label, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(count + label):
            pixels = np.full((8, 8, 3), 100 * label + i, np.uint8)
            pillow.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def test_idx_plain_and_gzipped(folder: Path) -> None:
    assert np.array_equal(read_idx(folder / "train-images-idx3-ubyte.gz"), IMAGES)
    assert np.array_equal(read_idx(folder / "train-labels-idx1-ubyte"), LABELS)


def test_idx_of_other_types(tmp_path: Path) -> None:
    array = RNG.standard_normal((2, 3)).astype(">f4")
    (tmp_path / "a").write_bytes(idx(array, 0x0D))
    read = read_idx(tmp_path / "a")
    assert read.dtype == np.float32 and np.array_equal(read, array.astype(np.float32))


def test_mnist_is_scaled_as_it_is_read(folder: Path) -> None:
    data = mnist(folder, "test")
    assert data.x.shape == (5, 1, 4, 3) and len(data.classes) == 10 and data.y.tolist()[0] == 3
    np.testing.assert_allclose(data.x[np.array([4, 0])][:, 0] * 255, IMAGES[[4, 0]], rtol=1e-6)
    other = mnist(folder, "train", Normalization((128.0,), (1 / 64,)))
    np.testing.assert_allclose(other.x[2][0], (IMAGES[2] - 128.0) / 64, rtol=1e-6)


BAD = {
    "ends": (idx(IMAGES)[:-13], "ends within element 3 of 5"),
    "zipped": (gzip.compress(idx(IMAGES))[:-30], "damaged within element"),
    "longer": (idx(IMAGES) + b"x", "goes on behind its 5 elements"),
    "header": (idx(IMAGES)[:9], "ends within its header"),
    "image": (b"\x89PNG\r\n", "not an IDX file"),
    "empty": (b"", "not an IDX file"),
    "huge": (struct.pack(">HBBIII", 0, 8, 3, 1 << 31, 1 << 31, 4), "more than 4 GiB"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_idx_is_named(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    path = tmp_path / "bad-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_idx(path)
    assert "bad-idx3-ubyte" in str(caught.value)


def test_mnist_files_must_fit_together(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:4]))
    with pytest.raises(InputError, match=r"5 images, .*labels-idx1-ubyte 4"):
        mnist(folder)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(IMAGES))
    with pytest.raises(InputError, match="not labels"):
        mnist(folder)
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="no file like train-labels"):
        mnist(folder)


@pytest.mark.skipif(not (DATA / "mnist").is_dir(), reason="MNIST is not there")
def test_the_real_mnist() -> None:
    data = mnist(DATA / "mnist", "test")
    assert data.x.shape == (10000, 1, 28, 28)
    assert np.bincount(data.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("cached", [True, False])
def test_folders_of_images(tmp_path: Path, cached: bool, monkeypatch) -> None:
    if not cached:
        monkeypatch.setattr("clnet.datasets.folder.CACHE_BYTES", 0)
    data = image_folder(photos(tmp_path / "p"), (3, 4, 4))
    assert data.classes == ("cat", "dog") and data.y.tolist() == [0, 0, 0, 1, 1, 1, 1]
    read = data.x[np.array([6, 0, 2])] * 255
    assert read.shape == (3, 3, 4, 4) and data.x.shape == (7, 3, 4, 4)
    np.testing.assert_allclose(read.mean((1, 2, 3)), [103, 0, 2], atol=1e-4)
    assert isinstance(data.x, Photos) and data.x[1].shape == (3, 4, 4)


def test_a_photo_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    data = image_folder(photos(tmp_path / "p"), (1, 4, 4))
    (tmp_path / "p" / "dog" / "1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"dog/1\.png"):
        data.x[np.arange(7)]


def test_folders_that_hold_no_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folders of images"):
        image_folder(tmp_path, (3, 4, 4))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no images"):
        image_folder(tmp_path, (3, 4, 4))
    with pytest.raises(InputError, match="cannot read"):
        image_folder(tmp_path / "none", (3, 4, 4))
    with pytest.raises(InputError, match=r"\[4, 4\]"):
        image_folder(tmp_path, (4, 4))


def test_any_of_them_opens(tmp_path: Path, folder: Path) -> None:
    assert len(open_dataset(folder, "test")) == 5
    whole = photos(tmp_path / "whole")
    assert len(open_dataset(whole, shape=(3, 4, 4))) == 7
    assert open_dataset(whole, "test", (3, 4, 4)) is None
    parts = tmp_path / "parts"
    photos(parts / "train", 2)
    photos(parts / "val", 1)
    test = open_dataset(parts, "test", (3, 4, 4))
    assert len(open_dataset(parts, shape=(3, 4, 4))) == 5 and test.y.tolist() == [0, 1, 1]
    np.savez(tmp_path / "a.npz", x=IMAGES, y=LABELS)
    assert len(open_dataset(tmp_path / "a.npz")) == 5
    assert open_dataset(tmp_path / "a.npz", "test") is None
    with pytest.raises(InputError, match="neither a folder nor an"):
        open_dataset(tmp_path / "a.txt")
    np.savez(tmp_path / "b.npz", x=IMAGES, z=LABELS)
    with pytest.raises(InputError, match="x and y are needed"):
        open_dataset(tmp_path / "b.npz")


def test_parts_and_splits(folder: Path) -> None:
    data = mnist(folder)
    first, second = data.split(0.4, seed=1)
    assert (len(first), len(second)) == (3, 2)
    assert sorted([*first.y, *second.y]) == sorted(LABELS)
    np.testing.assert_array_equal(data.part(slice(1, 3)).x[np.array([1])], data.x[np.array([2])])
    with pytest.raises(InputError, match=r"a share of 1\.5"):
        data.split(1.5)
