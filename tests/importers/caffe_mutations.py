"""Damaged and hostile Caffe models out of good ones, always the same for the same number. As a
program it reads and runs them (mutation_worker.py)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from golden import DATA
from importers.caffe_models import caffemodel
from importers.mutation_worker import Format

from clnet.errors import ClnetError
from clnet.importers import read_model
from clnet.importers.caffe.importer import build_net
from clnet.importers.caffe.text import parse_text

Rng = np.random.Generator

#: Real models by how often each is taken.
REAL = {
    "models_caffe_lenet/lenet_iter_10000.caffemodel": "models_caffe_lenet/lenet.prototxt",
    "models_caffe_mtcnn/det3.caffemodel": "models_caffe_mtcnn/det3.prototxt",
    "models_darknet_yoloface/landmark106/yoloface-50k.caffemodel":
        "models_darknet_yoloface/landmark106/yoloface-50k.prototxt",
}  # fmt: skip
#: Each kind of layer that has parameters of its own to go wrong. Values of the largest rather than
#: their positions: those of nearly equal ones differ from device to device.
MANY_LAYERS = """\
name: "many"
input: "x"
input_shape { dim: 1 dim: 4 dim: 9 dim: 8 }
state { stage: "s" }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" include { stage: "s" }
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 stride: 1 group: 2 dilation: 1 } }
layer { name: "norm" type: "BatchNorm" bottom: "y" top: "y" batch_norm_param { eps: 1e-3 } }
layer { name: "scale" type: "Scale" bottom: "y" top: "y" scale_param { axis: 1 bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" relu_param { negative_slope: 0.1 } }
layer { name: "lrn" type: "LRN" bottom: "y" top: "lrn" lrn_param { local_size: 3 alpha: 0.5 } }
layer { name: "pool" type: "Pooling" bottom: "lrn" top: "pool"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "up" type: "Upsample" bottom: "pool" top: "up" upsample_param { scale: 2 } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "y" top: "crop"
  crop_param { axis: 2 offset: 1 offset: 0 } exclude { stage: "s" } }
layer { name: "slice" type: "Slice" bottom: "pool" top: "a" top: "b"
  slice_param { axis: 1 slice_point: 4 } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum"
  eltwise_param { operation: SUM coeff: 1 coeff: -0.5 } }
layer { name: "cat" type: "Concat" bottom: "sum" bottom: "a" top: "cat" concat_param { axis: 1 } }
layer { name: "perm" type: "Permute" bottom: "cat" top: "perm"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "shape" type: "Reshape" bottom: "perm" top: "shape"
  reshape_param { shape { dim: 0 dim: -1 dim: 8 } } }
layer { name: "soft" type: "Softmax" bottom: "shape" top: "soft" softmax_param { axis: 2 } }
layer { name: "best" type: "ArgMax" bottom: "soft" top: "best"
  argmax_param { axis: 2 top_k: 2 out_max_val: true } }
layer { name: "deconv" type: "Deconvolution" bottom: "pool" top: "deconv"
  convolution_param { num_output: 3 kernel_size: 2 stride: 2 } }
layer { name: "interp" type: "Interp" bottom: "deconv" top: "interp"
  interp_param { height: 4 width: 6 } }
layer { name: "red" type: "Reduction" bottom: "interp" top: "red" reduction_param { axis: 2 } }
layer { name: "prior" type: "PriorBox" bottom: "pool" bottom: "x" top: "prior"
  prior_box_param { min_size: 2 max_size: 4 aspect_ratio: 2 flip: false variance: 0.1 } }
layer { name: "flat" type: "Flatten" bottom: "up" top: "flat" flatten_param { axis: 1 } }
layer { name: "loc" type: "InnerProduct" bottom: "flat" top: "loc"
  inner_product_param { num_output: 300 } }
layer { name: "conf" type: "InnerProduct" bottom: "flat" top: "conf"
  inner_product_param { num_output: 150 } }
layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "prior"
  top: "found" detection_output_param { num_classes: 2 keep_top_k: 20
  nms_param { nms_threshold: 0.5 top_k: 30 } confidence_threshold: 0.2 code_type: CENTER_SIZE } }
layer { name: "power" type: "Power" bottom: "up" top: "power"
  power_param { power: 2 scale: 0.5 shift: 1 } }
layer { name: "tile" type: "Tile" bottom: "red" top: "tile" tile_param { axis: 1 tiles: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conf" bottom: "tile" top: "loss" }
"""
NUMBERS = (
    "-1", "0", "1", "2", "3", "5", "65536", "1000000", "2147483647", "-2147483648", "4294967295",
    "99999999999999999999", "1e30", "1e-40", "nan", "-inf", "0x10", "true", "MAX", '"x"', "{ }",
    "[2, 3]", "[]", "",
)  # fmt: skip
TYPES = (
    "ReLU", "Pooling", "Convolution", "Concat", "Flatten", "Silence", "Softmax", "Split", "Slice",
    "Scale", "BatchNorm", "Eltwise", "Python", "SoftmaxWithLoss", "Data", "Input", "Parameter",
    "Deconvolution", "Embed", "ROIPooling", "DetectionOutput", "PriorBox", "Normalize", "MVN",
    "Axpy", "Bias", "Crop", "Interp", "Upsample", "ShuffleChannel", "", "\\000\\033[31m",
)  # fmt: skip


class Recorder:
    """A source of weights that makes them, and notes which."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.blobs: dict[str, list[np.ndarray]] = {}
        self.size = 0

    def blob(self, layer: str, index: int, shape: Sequence[int]) -> np.ndarray:
        self.size += math.prod(shape)
        if self.size > 1 << 21:
            raise ClnetError("too large to make up")
        made = self.blobs.setdefault(layer, [])
        while len(made) <= index:
            made.append(self.rng.uniform(0.01, 0.5, tuple(shape)))
        made[index] = self.rng.uniform(0.01, 0.5, tuple(shape))
        return made[index].astype(np.float32)


def fitting(text: str, rng: Rng) -> bytes | None:
    """Weights as a net needs them, unless it is refused or large."""
    recorder = Recorder(rng)
    try:
        build_net(parse_text(text), recorder)
    except ClnetError:
        return None
    return caffemodel(recorder.blobs)


@cache
def bases() -> list[tuple[str, bytes]]:
    """Good models to start from, text and weights: one made here, and real ones where they are."""
    weights = fitting(MANY_LAYERS, np.random.default_rng(0))
    assert weights is not None
    models = [(MANY_LAYERS, weights)] * 4
    for model, net in REAL.items():
        if (DATA / model).is_file():
            models.append(((DATA / net).read_text(), (DATA / model).read_bytes()))
    return models


def mutate(number: int, folder: Path) -> tuple[str, Path]:
    """Write mutation ``number`` into an empty ``folder``. Returns what was done, and the model."""
    rng = np.random.default_rng(number)
    text, weights = bases()[number % len(bases())]
    path = folder / "net.prototxt"
    data = text.encode()
    if number % 3 == 0:
        damage = CHANGES_OF_BYTES[number // 3 % len(CHANGES_OF_BYTES)]
        done = damage.__name__
        if number % 2:
            data = damage(bytearray(data), rng)
        else:
            weights = damage(bytearray(weights), rng)
    else:
        change = CHANGES_OF_TEXT[number // 3 % len(CHANGES_OF_TEXT)]
        done = change.__name__
        for _ in range(int(rng.integers(1, 3))):
            text = change(text, rng)
        data = text.encode()
        if rng.random() < 0.7:
            weights = fitting(text, rng) or weights
    path.write_bytes(data)
    if number % 40:
        path.with_suffix(".caffemodel").write_bytes(weights)
    return done, path


def truncated(data: bytearray, rng: Rng) -> bytes:
    return bytes(data[: rng.integers(len(data))])


def flipped(data: bytearray, rng: Rng) -> bytes:
    for position in rng.integers(len(data), size=rng.integers(1, 9)):
        data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)


def overwritten(data: bytearray, rng: Rng) -> bytes:
    start = int(rng.integers(len(data)))
    data[start : start + 16] = rng.bytes(int(rng.integers(1, 40)))
    return bytes(data)


def joined(data: bytearray, rng: Rng) -> bytes:
    """Twice the same, the second time a part of it."""
    return bytes(data) + bytes(data[: rng.integers(len(data))])


def flipped_at_the_start(data: bytearray, rng: Rng) -> bytes:
    """Where names and shapes are rather than values."""
    for position in rng.integers(min(len(data), 400), size=rng.integers(1, 4)):
        data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)


def emptied(data: bytearray, rng: Rng) -> bytes:
    return bytes(data[: int(rng.integers(2))])


def _replaced(text: str, pattern: str, new: Callable[[re.Match[str]], str], rng: Rng) -> str:
    """The text with one of the places that match replaced."""
    places = list(re.finditer(pattern, text))
    if not places:
        return text
    place = places[int(rng.integers(len(places)))]
    return text[: place.start()] + new(place) + text[place.end() :]


def number_changed(text: str, rng: Rng) -> str:
    return _replaced(text, r"(?<=: )-?[\d.]+", lambda _: str(rng.choice(NUMBERS)), rng)


def dimension_changed(text: str, rng: Rng) -> str:
    pattern = r"(?<=dim: )\d+|(?<=num_output: )\d+|(?<=_size: )\d+"
    return _replaced(text, pattern, lambda _: str(rng.choice(NUMBERS[:13])), rng)


def blob_renamed(text: str, rng: Rng) -> str:
    """A cycle, a name that nothing makes, one made twice."""
    names = [*re.findall(r'(?:bottom|top): "([^"]*)"', text), "nowhere", ""]
    return _replaced(
        text, r'(?<=(?:bottom: "))[^"]*|(?<=top: ")[^"]*', lambda _: str(rng.choice(names)), rng
    )


def type_changed(text: str, rng: Rng) -> str:
    return _replaced(text, r'(?<=type: ")[^"]*', lambda _: str(rng.choice(TYPES)), rng)


def field_misspelt(text: str, rng: Rng) -> str:
    letters = "abcxyz_019 \x07"
    return _replaced(text, r"(?<=[a-z])[a-z](?=[a-z_]*:)", lambda _: str(rng.choice([*letters])),
                     rng)  # fmt: skip


def sign_removed(text: str, rng: Rng) -> str:
    return _replaced(text, r'[{}:"]', lambda _: "", rng)


def _layers(text: str) -> list[str]:
    return re.split(r"(?m)^(?=layer)", text)


def layer_removed(text: str, rng: Rng) -> str:
    parts = _layers(text)
    del parts[int(rng.integers(len(parts)))]
    return "".join(parts)


def layers_swapped(text: str, rng: Rng) -> str:
    parts = _layers(text)
    a, b = rng.integers(len(parts), size=2)
    parts[a], parts[b] = parts[b], parts[a]
    return "\n".join(parts)


def layers_grow(text: str, rng: Rng) -> str:
    """A net that doubles with every layer, or has very many."""
    steps = int(10 ** rng.uniform(0.5, 3.3))
    kind = str(rng.choice(["Concat", "Eltwise", "ReLU"]))
    source = str(rng.choice(re.findall(r'top: "([^"]+)"', text)))
    more, name, stem = [], source, f"g{rng.integers(1 << 20)}_"
    for i in range(steps):
        second = f'bottom: "{name}"' if kind != "ReLU" else ""
        more.append(f'layer {{ name: "{stem}{i}" type: "{kind}" bottom: "{name}" {second} '
                    f'top: "{stem}{i}" }}')  # fmt: skip
        name = f"{stem}{i}"
    return text + "\n".join(more)


def nested_deeply(text: str, rng: Rng) -> str:
    depth = int(rng.choice([50, 99, 101, 100_000]))
    return text + "a {" * depth + "}" * depth


def field_repeated(text: str, rng: Rng) -> str:
    return _replaced(text, r"\w+: [\w.\"]+", lambda m: f"{m[0]} " * int(rng.integers(2, 99)), rng)


CHANGES_OF_BYTES = (
    truncated, flipped, overwritten, joined, flipped_at_the_start, emptied, flipped_at_the_start,
)  # fmt: skip
CHANGES_OF_TEXT = (
    number_changed, dimension_changed, blob_renamed, type_changed, field_misspelt, number_changed,
    sign_removed, layer_removed, layers_swapped, layers_grow, nested_deeply, field_repeated,
    dimension_changed,
)  # fmt: skip


def _written(path: Path, text: str, weights: bytes) -> Path:
    path.write_text(text)
    path.with_suffix(".caffemodel").write_bytes(weights)
    return path


def write_good(folder: Path) -> list[Path]:
    """The unharmed models, each once."""
    goods = enumerate(dict.fromkeys(bases()))
    return [_written(folder / f"{i}.prototxt", text, weights) for i, (text, weights) in goods]


if __name__ == "__main__":
    Format(read_model, mutate, write_good, new_kernels=1).serve()
