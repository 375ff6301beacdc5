"""What `clnet train` is asked to train, and the data that fit it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from clnet import models
from clnet.datasets import Dataset, open_dataset
from clnet.errors import InputError
from clnet.images import PRESETS, Normalization
from clnet.models import layers
from clnet.models.network import TrainableNetwork
from clnet.models.recipe import (
    Recipe,
    caffe_recipe,
    caffe_shape,
    darknet_recipe,
    darknet_shape,
)

#: clnet's own networks; a number behind the name is the depth.
_NETWORKS: dict[str, Callable[..., TrainableNetwork]] = {
    "lenet": models.lenet,
    "mnist_cnn": models.mnist_cnn,
    "digits_cnn": models.digits_cnn,
    "vgg": models.vgg,
    "resnet": models.resnet,
    "mobilenet_v2": models.mobilenet_v2,
}
_DEFAULT_SIZE = (64, 64)

#: What pixels go through unless anything else is said.
_ZERO_ONE = PRESETS["zero-one"]

Prepared = tuple[Recipe, Dataset, Dataset | None, list[str]]


def prepare(arguments: argparse.Namespace) -> Prepared:
    """The recipe, the data to train and to validate with, and notes for the user."""
    path = Path(arguments.model)
    suffix = path.suffix.lower()
    notes: list[str] = []
    if suffix == ".prototxt":
        recipe, data = _from_caffe(path, arguments)
    elif suffix == ".cfg":
        recipe = darknet_recipe(path, arguments.weights, arguments.seed)
        data = _data(arguments, darknet_shape(path))
    elif suffix:
        recipe, data = _from_file(path, arguments, notes)
    else:
        recipe, data = _by_name(arguments)
    normalization = _normalization(arguments, recipe.normalization)
    test = open_dataset(arguments.data, "test", recipe.net.input_shape, normalization)
    if test is None and arguments.hold_out:
        data, test = data.split(arguments.hold_out, arguments.seed)
    return recipe, data, test, notes


def _data(
    arguments: argparse.Namespace, shape: Sequence[int] | None,
    normalization: Normalization = _ZERO_ONE,
) -> Dataset:  # fmt: skip
    used = _normalization(arguments, normalization)
    data = open_dataset(arguments.data, "train", shape, used)
    if data is None:
        raise InputError(f"{arguments.data} holds no training data")
    return data


def _normalization(arguments: argparse.Namespace, default: Normalization) -> Normalization:
    if arguments.preset is None:
        return default
    known = {name: n for name, n in PRESETS.items() if n.order == "rgb"}
    if arguments.preset not in known:
        raise InputError(f"preset {arguments.preset!r} is none of {', '.join(known)}")
    return known[arguments.preset]


def _by_name(arguments: argparse.Namespace) -> tuple[Recipe, Dataset]:
    match = re.fullmatch(r"(.*?[a-z](?:_v2)?)(\d*)", arguments.model)
    name, depth = (match[1], match[2]) if match else (arguments.model, "")
    if name not in _NETWORKS or (depth and name not in ("vgg", "resnet")):
        raise InputError(
            f"no network is named {arguments.model!r}, nor is it a model file; there are"
            f" {', '.join(_NETWORKS)}"
        )
    data = _data(arguments, (3, *(arguments.size or _DEFAULT_SIZE)))
    options = {"depth": int(depth)} if depth else {}
    net = _NETWORKS[name](data.x.shape[1:], _classes(data), seed=arguments.seed, **options)
    if arguments.weights is not None:
        from clnet.training.checkpoint import read_tensors

        net.load_state_dict(read_tensors(arguments.weights)[0])
    return Recipe(net), data


def _from_caffe(path: Path, arguments: argparse.Namespace) -> tuple[Recipe, Dataset]:
    """The pixels go through the data layer's ``transform_param``, so the net is read first."""
    shape = caffe_shape(path)
    if shape is None:
        size = arguments.size or _DEFAULT_SIZE
        shape = tuple(_data(arguments, (3, *size)).x.shape[1:])
    recipe = caffe_recipe(path, shape, arguments.weights, arguments.seed)
    return recipe, _data(arguments, shape, recipe.normalization)


def _from_file(
    path: Path, arguments: argparse.Namespace, notes: list[str]
) -> tuple[Recipe, Dataset]:
    net = models.imported(path, arguments.weights, output=arguments.features)
    data = _data(arguments, net.input_shape)
    classes = _classes(data)
    if arguments.features is not None:
        pool = [layers.GlobalAveragePool()] if len(net.output_shape) > 1 else []
        stack = [net.named("features"), *pool, layers.Dense(classes), layers.Softmax()]
        return Recipe(models.Sequential(stack, net.input_shape, arguments.seed)), data
    if net.output_shape[0] != classes:
        notes.append(f"the last layer is new: {classes} classes instead of {net.output_shape[0]}")
        net = net.with_classes(classes, arguments.seed)
    return Recipe(net), data


def _classes(data: Dataset) -> int:
    return len(data.classes) or int(data.y.max()) + 1
