"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: the answer for programs."""
    parser.add_argument("--json", action="store_true", help="answer in JSON")


def add_device(parser: argparse.ArgumentParser) -> None:
    """`--device`: what ``clnet.load`` takes."""
    parser.add_argument(
        "--device",
        metavar="DEVICE",
        help="index, platform:device, or a part of a name; else CLNET_DEVICE, else the best there"
        " is (see `clnet devices`)",
    )


def add_model(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """A model file and how to compile it."""
    add_model_file(parser, optional)
    add_device(parser)
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16"),
        default="fp32",
        help="fp16 stores (and, where the device can, computes) in half (default: fp32)",
    )
    add_json(parser)


def add_model_file(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """A model file and how to read it."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?" if optional else None,
        help="model file, for instance model.onnx",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        help="weights of a Caffe or Darknet model (default: the file of the same name beside it)",
    )
    parser.add_argument(
        "--shape",
        metavar="NAME=1x3x224x224",
        action="append",
        default=[],
        type=_shape,
        help="shape of an input that the model leaves open; may be repeated",
    )


def positive(text: str) -> int:
    """An argument that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """("x", (1, 3)) out of "x=1x3"; "x=" is a scalar. The name may hold `=` itself."""
    name, equals, sizes = text.rpartition("=")
    parts = sizes.split("x") if sizes else []
    if not name or not equals or not all(p.isascii() and p.isdigit() for p in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not like NAME=1x3x224x224")
    return name, tuple(int(p) for p in parts)
