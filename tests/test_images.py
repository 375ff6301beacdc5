"""Photos become exactly the numbers that a model asks for, or one clear error."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from clnet.errors import ClnetError, InputError
from clnet.images import PRESETS, Normalization, load_image

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """2x2: red, green / blue, white."""
    pixels = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


RED = [[1, 0], [0, 1]]
BLUE = [[0, 0], [1, 1]]


def test_defaults_to_channels_first_and_zero_to_one(photo: Path) -> None:
    array = load_image(photo, (1, 3, 2, 2))
    assert array.dtype == np.float32 and array.flags.c_contiguous
    np.testing.assert_array_equal(array[0, 0], RED)
    np.testing.assert_array_equal(array[0, 2], BLUE)


@pytest.mark.parametrize("shape", [(1, 2, 2, 3), (2, 2, 3)])
def test_finds_channels_last(photo: Path, shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(load_image(photo, shape)[..., 0].reshape(2, 2), RED)


def test_layout_decides_where_both_fit(photo: Path) -> None:
    first = load_image(photo, (1, 3, 2, 3))
    last = load_image(photo, (1, 3, 2, 3), layout="nhwc")
    assert first[0, 0].shape == (2, 3) and first[0, 0, 0, 0] == 1
    np.testing.assert_array_equal(last[0, 0, 0], [1, 0, 0])


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (2, 2), (1, 2, 2, 1)])
def test_grey(photo: Path, shape: tuple[int, ...]) -> None:
    grey = load_image(photo, shape).reshape(2, 2)
    np.testing.assert_allclose(grey, [[76 / 255, 150 / 255], [29 / 255, 1]], atol=1.5 / 255)


def test_mean_scale_and_order(photo: Path) -> None:
    normalization = Normalization((1.0, 2.0, 3.0), (1.0, 0.5, 2.0), "bgr")
    array = load_image(photo, (1, 3, 2, 2), normalization=normalization)
    red_pixel = array[0, :, 0, 0]  # blue, green, red
    np.testing.assert_allclose(red_pixel, [-1, -1, 504])


def test_presets_are_what_models_were_trained_on(photo: Path) -> None:
    white = {
        name: load_image(photo, (1, 3, 2, 2), normalization=preset)[0, :, 1, 1]
        for name, preset in PRESETS.items()
    }
    np.testing.assert_allclose(white["minus-one-one"], 1, rtol=1e-6)
    np.testing.assert_allclose(white["imagenet"], (1 - np.array([0.485, 0.456, 0.406]))
                               / [0.229, 0.224, 0.225], rtol=1e-5)  # fmt: skip
    np.testing.assert_allclose(white["caffe"], [151, 138, 132])
    np.testing.assert_allclose(white["ultraface"], 1)


def test_integer_inputs_get_raw_pixels(photo: Path) -> None:
    array = load_image(photo, (1, 2, 2, 3), dtype="uint8")
    assert array.dtype == np.uint8 and array[0, 1, 1].tolist() == [255, 255, 255]
    shifted = load_image(
        photo, (1, 2, 2, 3), dtype="int8", normalization=Normalization((128,), (1,))
    )
    assert shifted[0, 0, 0].tolist() == [127, -128, -128]


def test_resizing(tmp_path: Path) -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    path = tmp_path / "wide.png"
    Image.fromarray(wide).save(path)
    shape = (1, 3, 10, 10)
    assert load_image(path, shape, resize="crop").min() == 1  # only the white middle
    fit = load_image(path, shape, resize="fit")[0, 0]
    assert fit[0, 0] == fit[-1, -1] == pytest.approx(127 / 255)
    assert 0.2 < load_image(path, shape, resize="stretch").mean() < 0.45
    with pytest.raises(InputError, match="stretch, crop, fit"):
        load_image(path, shape, resize="squash")


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[[255] * 3, [0] * 3]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    path = tmp_path / "turned.png"
    image.save(path, exif=exif)
    assert load_image(path, (1, 1, 2, 1)).reshape(-1).tolist() == [1, 0]


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((2, 2), 32768, np.uint16)).save(path)
    np.testing.assert_allclose(load_image(path, (2, 2)), 128 / 255)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 8, 8), "1x4x8x8"),
        ((2, 3, 8, 8), "batch of 2"),
        ((10,), "does not fit an input of shape 10"),
        ((1, 3, 0, 8), "1x3x0x8"),
    ],
)
def test_inputs_that_no_photo_fits(photo: Path, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_image(photo, shape)


def test_wrong_number_of_means(photo: Path) -> None:
    with pytest.raises(InputError, match="2 numbers as mean, but the model has 3 channels"):
        load_image(photo, (1, 3, 2, 2), normalization=Normalization((1, 2)))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data)
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [11_000, 60_000])
def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side))
    with pytest.raises(InputError, match=r"bomb\.png.*pixels") as caught:
        load_image(path, (1, 3, 8, 8))
    assert "\n" not in str(caught.value)


def test_damaged_files(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a photo")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "hollow.png").write_bytes(png_header(4, 4))
    large = tmp_path / "large.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(large)
    (tmp_path / "cut.png").write_bytes(large.read_bytes()[:3000])
    for name in ("text.jpg", "empty.png", "hollow.png", "cut.png", "missing.png", "."):
        with pytest.raises(InputError) as caught:
            load_image(tmp_path / name, (1, 3, 2, 2))
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_without_pillow(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ClnetError, match="pip install pillow"):
        load_image(photo, (1, 3, 2, 2))
