"""Damaged and hostile TFLite models out of good ones, always the same for the same number. As a
program it reads and runs them (mutation_worker.py)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import tflite
from golden import DATA
from importers.mutation_worker import Format
from importers.tflite_models import Op, Tensor, model

from clnet.importers.tflite import read_tflite

Rng = np.random.Generator

REAL = (
    "models_mlperf_tiny/kws_ref_model.tflite",
    "models_mlperf_tiny/kws_ref_model_float32.tflite",
    "models_tflite_micro/hello_world_int8.tflite",
    "models_portrait_seg/gpucom/model6.tflite",
    "models_blazeface/tflite/face_detection_front.tflite",
)
WORDS = (0, 1, -1, 3, 7, 8, 127, -128, 255, 1 << 16, 1 << 20, 10**6, 2**31 - 1, -(2**31), 1 << 28)


def many_operators() -> bytes:
    """A small network with most kinds of static arguments, and a quantised branch."""
    rng = np.random.default_rng(1)

    def weights(*shape: int) -> Tensor:
        return Tensor.of(rng.uniform(-0.5, 0.5, shape).astype(np.float32))

    def numbers(*values: object) -> Tensor:
        return Tensor.of(np.array(values, np.int32))

    tensors = {
        "x": Tensor((1, 12, 12, 4), signature=(-1, 12, 12, 4)),
        "w1": weights(8, 3, 3, 4), "b1": weights(8), "c1": Tensor((1, 12, 12, 8)),
        "w2": weights(1, 3, 3, 8), "b2": weights(8), "c2": Tensor((1, 6, 6, 8)),
        "pads": numbers((0, 0), (1, 0), (0, 1), (0, 0)), "p": Tensor((1, 7, 7, 8)),
        "m": Tensor((1, 3, 3, 8)), "size": numbers(6, 6), "r": Tensor((1, 6, 6, 8)),
        "a": Tensor((1, 6, 6, 8)), "start": numbers(0, 1, 1, 0), "end": numbers(1, 5, 5, 8),
        "step": numbers(1, 1, 2, 1), "s": Tensor((1, 4, 2, 8)),
        "sparse": Tensor((8, 1, 1, 8), data=np.float32([1, 2, 3]),
                         sparsity={"order": (0, 1, 2, 3), "block_map": (),
                                   "levels": (8, 1, 1, ((0, 1, 1, 2, 2, 2, 2, 3, 3), (4, 1, 7)))}),
        "dense": Tensor((8, 1, 1, 8)), "d": Tensor((1, 4, 2, 8)),
        "shape": numbers(1, 16, 4), "f": Tensor((1, 16, 4)), "axes": numbers(1),
        "mean": Tensor((1, 4)),
        "q": Tensor((1, 4), "int8", scales=[0.02], zero_points=[3]),
        "wq": Tensor.of(rng.integers(-90, 90, (5, 4)).astype(np.int8), scales=[0.01] * 5, axis=0),
        "bq": Tensor.of(rng.integers(-90, 90, 5).astype(np.int32)),
        "g": Tensor((1, 5), "int8", scales=[0.05], zero_points=[-7]),
        "seen": Tensor((1, 12), is_variable=True), "v": Tensor((1, 2)),
        "features": weights(4, 4), "times": weights(4, 3),
    }  # fmt: skip
    window = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1,
              "FusedActivationFunction": 1}  # fmt: skip
    ops = [
        Op("CONV_2D", ["x", "w1", "b1"], ["c1"], "Conv2DOptions", window),
        Op("DEPTHWISE_CONV_2D", ["c1", "w2", "b2"], ["c2"], "DepthwiseConv2DOptions",
           {**window, "StrideH": 2, "StrideW": 2, "DepthMultiplier": 1}),
        Op("PAD", ["c2", "pads"], ["p"], "PadOptions"),
        Op("MAX_POOL_2D", ["p"], ["m"], "Pool2DOptions",
           {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}),
        Op("RESIZE_BILINEAR", ["m", "size"], ["r"], "ResizeBilinearOptions",
           {"HalfPixelCenters": True}),
        Op("ADD", ["r", "c2"], ["a"], "AddOptions"),
        Op("STRIDED_SLICE", ["a", "start", "end", "step"], ["s"], "StridedSliceOptions",
           {"BeginMask": 1}),
        Op("DENSIFY", ["sparse"], ["dense"], "DensifyOptions"),
        Op("CONV_2D", ["s", "dense"], ["d"], "Conv2DOptions", window),
        Op("RESHAPE", ["d", "shape"], ["f"], "ReshapeOptions", {"NewShape": [1, 16, 4]}),
        Op("MEAN", ["f", "axes"], ["mean"], "ReducerOptions"),
        Op("SVDF", ["mean", "features", "times", "", "seen"], ["v"], "SVDFOptions", {"Rank": 2}),
        Op("QUANTIZE", ["mean"], ["q"], "QuantizeOptions"),
        Op("FULLY_CONNECTED", ["q", "wq", "bq"], ["g"], "FullyConnectedOptions"),
    ]  # fmt: skip
    return model(tensors, ops, ["x"], ["g", "f", "v"])


@cache
def bases() -> list[tuple[bytes, np.ndarray]]:
    """Good models to start from, and which bytes of each are no weights."""
    files = [many_operators()] * 5
    files += [(DATA / name).read_bytes() for name in REAL if (DATA / name).is_file()]
    return [(data, structure(data)) for data in files]


def structure(data: bytes) -> np.ndarray:
    """Positions outside the buffers, and in those that are small enough to be shapes or axes."""
    inside = np.ones(len(data), bool)
    root = tflite.Model.GetRootAs(data, 0)
    for i in range(root.BuffersLength()):
        buffer = root.Buffers(i)
        if buffer.DataLength() > 64:
            start = buffer._tab.Vector(buffer._tab.Offset(4))
            inside[start : start + buffer.DataLength()] = False
    return np.flatnonzero(inside)


def mutate(number: int, folder: Path) -> tuple[str, Path]:
    """Write mutation ``number`` into an empty ``folder``. Returns what was done, and the model."""
    rng = np.random.default_rng(number)
    base, places = bases()[int(rng.integers(len(bases())))]
    change = CHANGES[number % len(CHANGES)]
    path = folder / "model.tflite"
    path.write_bytes(change(bytearray(base), places, rng))
    return change.__name__, path


def truncated(data: bytearray, places: np.ndarray, rng: Rng) -> bytes:
    return bytes(data[: rng.integers(len(data))])


def flipped_anywhere(data: bytearray, places: np.ndarray, rng: Rng) -> bytes:
    return flipped(data, np.arange(len(data)), rng)


def flipped(data: bytearray, places: np.ndarray, rng: Rng) -> bytes:
    for position in rng.choice(places, size=rng.integers(1, 5)):
        data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)


def words_overwritten(data: bytearray, places: np.ndarray, rng: Rng) -> bytes:
    """Dimensions, lengths, offsets, positions of tensors: all are words of four bytes."""
    for position in rng.choice(places, size=rng.integers(1, 4)):
        start = min(int(position) // 4 * 4, len(data) - 4)
        struct.pack_into("<i", data, start, int(rng.choice(WORDS)))
    return bytes(data)


def words_nudged(data: bytearray, places: np.ndarray, rng: Rng) -> bytes:
    """By a little, so that offsets lead close to where they should."""
    for position in rng.choice(places, size=rng.integers(1, 4)):
        start = min(int(position) // 4 * 4, len(data) - 4)
        (word,) = struct.unpack_from("<I", data, start)
        struct.pack_into("<I", data, start, (word + int(rng.integers(-9, 10))) % (1 << 32))
    return bytes(data)


def offsets_to_one_place(data: bytearray, places: np.ndarray, rng: Rng) -> bytes:
    """Several offsets lead to the same, so that parts lie within each other."""
    target = int(rng.choice(places))
    for position in rng.choice(places, size=8):
        start = min(int(position) // 4 * 4, len(data) - 4)
        if target > start:
            struct.pack_into("<I", data, start, target - start)
    return bytes(data)


def copied_within(data: bytearray, places: np.ndarray, rng: Rng) -> bytes:
    a, b = (int(p) for p in rng.choice(places, size=2))
    data[a : a + 24] = data[b : b + 24]
    return bytes(data)


CHANGES: tuple[Callable[[bytearray, np.ndarray, Rng], bytes], ...] = (
    flipped, words_overwritten, truncated, words_overwritten, words_nudged, flipped_anywhere,
    offsets_to_one_place, words_overwritten, copied_within, flipped,
)  # fmt: skip


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def write_good(folder: Path) -> list[Path]:
    """The unharmed models, each once."""
    goods = dict.fromkeys(data for data, _ in bases())
    return [_written(folder / f"{i}.tflite", data) for i, data in enumerate(goods)]


if __name__ == "__main__":
    Format(read_tflite, mutate, write_good, steps_apart=1).serve()
