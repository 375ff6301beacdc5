"""Damaged and hostile Darknet models out of good ones, always the same for the same number. As a
program it reads and runs them (mutation_worker.py)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from golden import DATA
from importers.darknet_models import header
from importers.mutation_worker import Format

from clnet.errors import ClnetError
from clnet.importers import read_model
from clnet.importers.darknet.cfg import read_cfg
from clnet.importers.darknet.reader import build_network

Rng = np.random.Generator
Lines = list[str]

REAL = "models_darknet_yoloface/50k/yoloface-50k.cfg"
#: Each kind of layer that has parameters of its own to go wrong.
MANY_LAYERS = """\
[net]
batch=8
width=12
height=8
channels=3
[convolutional]
filters=8
size=3
pad=1
batch_normalize=1
activation=mish
[convolutional]
filters=8
groups=4
dilation=2
size=3
pad=1
activation=leaky
[shortcut]
from=-2
activation=linear
[route]
layers=-1
groups=2
group_id=1
[maxpool]
size=2
stride=2
[local]
filters=4
size=3
pad=1
activation=relu
[reorg]
stride=2
[deconvolutional]
filters=3
size=2
stride=2
activation=elu
[normalization]
size=3
[upsample]
stride=2
[route]
layers=-1,2
[avgpool]
[connected]
output=11
activation=logistic
[scale_channels]
from=-3
[convolutional]
filters=14
activation=linear
[yolo]
mask=0,1
anchors=2,3,4,5,6,7
num=3
classes=2
[route]
layers=-2
[crop]
crop_height=4
crop_width=4
[convolutional]
filters=14
activation=linear
[region]
anchors=1,2,3,4
num=2
classes=2
softmax=1
"""
#: Floats in its weights.
MANY_FLOATS = 8 * 4 + 8 * 27 + 8 + 8 * 18 + 4 * 24 + 24 * 4 * 36 + 3 + 16 * 12 + 11 + 11 * 11
MANY_FLOATS += 14 + 14 * 11 + 14 + 14 * 14
NUMBERS = (
    "-1", "0", "1", "2", "3", "7", "65536", "99999999", "2147483647", "-2147483648", "1e30", "nan",
    "1e-40", "", "x", "-2,0,5", ",", "0.5",
)  # fmt: skip
LAYERS = (
    "[crnn]\noutput=4", "[softmax]\ngroups=5", "[avgpool]", "[route]\nlayers=0,1,2,3,4",
    "[convolutional]\nfilters=9", "[yolo]\nanchors=1,1", "[detection]", "[maxpool]\nsize=99999",
    "[upsample]\nstride=60000", "[sam]\nfrom=0", "[shortcut]\nfrom=0,1", "[reorg]\nextra=60000",
    "[]", "[x\x1b]", "[local_avgpool]\nsize=3", "[cost]", "[batchnorm]", "[net]",
    "[shortcut]\nfrom=-1\nweights_type=per_channel", "[maxpool]\nmaxpool_depth=1",
    "[activation]\nactivation=normalize_channels_softmax", "[crop]\ncrop_height=0",
)  # fmt: skip


@cache
def bases() -> list[tuple[str, bytes]]:
    """Good models to start from, cfg and weights: one made here, and a real one where it is."""
    values = np.random.default_rng(0).uniform(0.01, 0.5, MANY_FLOATS).astype("<f4")
    models = [(MANY_LAYERS, header() + values.tobytes())] * 2
    if (DATA / REAL).is_file():
        real = DATA / REAL
        models.append((real.read_text(), real.with_suffix(".weights").read_bytes()))
    return models


def mutate(number: int, folder: Path) -> tuple[str, Path]:
    """Write mutation ``number`` into an empty ``folder``. Returns what was done, and the model."""
    rng = np.random.default_rng(number)
    cfg, weights = bases()[number % len(bases())]
    data = bytearray(weights)
    path = folder / "net.cfg"
    change = CHANGES[int(rng.integers(len(CHANGES)))]
    if change in (truncated, flipped, header_overwritten, extended):
        data = change(data, rng)
        text = cfg.encode()
    elif number % 7 == 0:
        text = bytes(flipped(bytearray(cfg.encode()), rng))
    else:
        lines = cfg.splitlines()
        for _ in range(int(rng.integers(1, 3))):
            change(lines, rng)
        text = "\n".join(lines).encode()
    path.write_bytes(text)
    if change not in (truncated, flipped, header_overwritten, extended) and rng.random() < 0.8:
        data = fitting(path, rng) or data
    if number % 50:
        path.with_suffix(".weights").write_bytes(data)
    return change.__name__, path


class Counter:
    """A source of weights that only counts them."""

    transposed = batchnorm_biases = False

    def __init__(self) -> None:
        self.count = 0

    def take(self, what: str, *shape: int) -> np.ndarray:
        self.count += math.prod(shape)
        return np.broadcast_to(np.float32(1), shape)

    def finish(self) -> None:
        pass


def fitting(path: Path, rng: Rng) -> bytearray | None:
    """As many weights as a changed network needs, unless it is refused or large."""
    counter = Counter()
    try:
        build_network(read_cfg(path), "net", counter, {})
    except ClnetError:
        return None
    if counter.count > 1 << 20:
        return None
    values = rng.uniform(0.01, 0.5, counter.count).astype("<f4")
    return bytearray(header() + values.tobytes())


def truncated(data: bytearray, rng: Rng) -> bytearray:
    return data[: rng.integers(len(data))]


def extended(data: bytearray, rng: Rng) -> bytearray:
    return data + rng.bytes(int(rng.integers(1, 999)))


def flipped(data: bytearray, rng: Rng) -> bytearray:
    for position in rng.integers(len(data), size=rng.integers(1, 20)):
        data[position] ^= 1 << int(rng.integers(8))
    return data


def header_overwritten(data: bytearray, rng: Rng) -> bytearray:
    data[:20] = rng.bytes(20)
    return data


def _options(lines: Lines) -> list[int]:
    return [i for i, line in enumerate(lines) if "=" in line and not line.startswith("#")]


def number_changed(lines: Lines, rng: Rng) -> None:
    at = int(rng.choice(_options(lines)))
    lines[at] = f"{lines[at].partition('=')[0]}={rng.choice(NUMBERS)}"


def layer_count_changed(lines: Lines, rng: Rng) -> None:
    """What names other layers: itself, later ones, nothing, one far away."""
    at = rng.choice([i for i in _options(lines) if re.match("layers|from", lines[i])])
    values = rng.choice(("0", "-1", "4", "19", "20", "-99", "999999", "0,0,0,0,0,0", "-1,0"))
    lines[at] = f"{lines[at].partition('=')[0]}={values}"


def line_removed(lines: Lines, rng: Rng) -> None:
    del lines[int(rng.integers(len(lines)))]


def lines_swapped(lines: Lines, rng: Rng) -> None:
    a, b = rng.integers(len(lines), size=2)
    lines[a], lines[b] = lines[b], lines[a]


def layer_inserted(lines: Lines, rng: Rng) -> None:
    starts = [i for i, line in enumerate(lines) if line.startswith("[")]
    lines.insert(int(rng.choice(starts)), str(rng.choice(LAYERS)))


def layers_repeated(lines: Lines, rng: Rng) -> None:
    """A network that grows with every layer, and one that has too many."""
    growing = ("[upsample]\nstride=9", "[route]\nlayers=-1,-1,-1,-1", "[dropout]", "[reorg]")
    lines.insert(5, "\n".join([str(rng.choice(growing))] * int(10 ** rng.uniform(0.5, 4.3))))


CHANGES: tuple[Callable[..., object], ...] = (
    truncated, flipped, flipped, header_overwritten, extended, number_changed, number_changed,
    number_changed, number_changed, layer_count_changed, line_removed, lines_swapped,
    layer_inserted, layer_inserted, layers_repeated,
)  # fmt: skip


def _written(path: Path, cfg: str, weights: bytes) -> Path:
    path.write_text(cfg)
    path.with_suffix(".weights").write_bytes(weights)
    return path


def write_good(folder: Path) -> list[Path]:
    """The unharmed models, each once."""
    goods = enumerate(dict.fromkeys(bases()))
    return [_written(folder / f"{i}.cfg", cfg, weights) for i, (cfg, weights) in goods]


if __name__ == "__main__":
    Format(read_model, mutate, write_good).serve()
