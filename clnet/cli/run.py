"""`clnet run MODEL`: arrays or a photo in, outputs or the likeliest classes out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_model, positive
from clnet.cli.output import dimensions, print_json, print_table, printable, working
from clnet.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from clnet.graph import Value

_EPILOG = """\
examples:
  clnet run model.onnx --input x=frame.npy --output y.npz
  clnet run mobilenet.onnx --image cat.jpg --labels imagenet.txt --preset imagenet
  clnet run yolov3.cfg --image street.jpg --detect --labels coco.names --output boxes.png
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help="run a model on arrays or on a photo",
        description="Runs a model once. Prints the likeliest classes of outputs that hold one"
        " score\nper class, and shape and range of the others.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser)
    parser.add_argument(
        "--input", metavar="NAME=FILE.npy", action="append", default=[], type=_input,
        help="an input from a NumPy file; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="FILE.npz", type=Path,
        help="write all outputs there; with --detect also a picture, for instance boxes.png",
    )  # fmt: skip
    photo = parser.add_argument_group("photo")
    photo.add_argument("--image", metavar="PHOTO", type=Path, help="the remaining input, a photo")
    photo.add_argument("--labels", metavar="FILE", type=Path, help="names of the classes, by line")
    photo.add_argument("--top", metavar="N", type=positive, default=5, help="classes (default: 5)")
    photo.add_argument(
        "--preset",
        choices=("zero-one", "minus-one-one", "raw", "imagenet", "caffe", "ultraface"),
        help="mean, scale and order that many models share (default: zero-one, x/255; raw for"
        " integer inputs)",
    )
    photo.add_argument(
        "--mean", metavar="M[,M,M]", type=_numbers,
        help="subtracted from pixels of 0 to 255, one for all or one per channel",
    )  # fmt: skip
    photo.add_argument(
        "--scale", metavar="S[,S,S]", type=_numbers, help="then multiplied, for instance 1/128"
    )
    photo.add_argument("--order", choices=("rgb", "bgr"), help="order of colours (default: rgb)")
    photo.add_argument(
        "--layout", choices=("nchw", "nhwc"), help="default: wherever 1 or 3 channels are"
    )
    photo.add_argument(
        "--resize", choices=("stretch", "crop", "fit"),
        help="for another aspect ratio: stretch it, crop the middle, or fit it between grey bars"
        " (default: stretch; for Darknet's detectors fit, as Darknet does)",
    )  # fmt: skip
    objects = parser.add_argument_group("objects")
    objects.add_argument(
        "--detect", action="store_true",
        help="list the boxes that YOLO or SSD put around objects in the photo, and draw them",
    )  # fmt: skip
    objects.add_argument(
        "--threshold", metavar="S", type=_share, default=0.5, help="least score (default: 0.5)"
    )
    objects.add_argument(
        "--nms", metavar="S", type=_share, default=0.45,
        help="of boxes of a class that overlap by more than this the surest stays (default: 0.45)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the model once."""
    import clnet
    from clnet.cli.labels import read_labels
    from clnet.importers import read_model

    if arguments.detect and not arguments.image:
        raise InputError("--detect needs --image PHOTO")
    if arguments.resize is None:
        darknet = Path(arguments.model).suffix.lower() in (".cfg", ".weights")
        arguments.resize = "fit" if arguments.detect and darknet else "stretch"
    labels = read_labels(arguments.labels) if arguments.labels else []
    arrays = {name: _load(path) for name, path in arguments.input}
    shapes = dict(arguments.shape) | {name: array.shape for name, array in arrays.items()}
    # Read it without a device first: what the user got wrong is said before minutes of compiling.
    inputs = read_model(Path(arguments.model), shapes, arguments.weights).inputs
    feeds = _feeds(arguments, arrays, inputs)
    with working(f"compiling {arguments.model}"):
        session = clnet.load(
            arguments.model, arguments.device, arguments.precision, shapes, arguments.weights
        )
    with session:
        outputs = session.run(feeds)
        device = str(session.device)
    if arguments.detect:
        from clnet.cli.detect import is_archive, report

        if arguments.output and is_archive(arguments.output):
            _save(arguments.output, outputs)
        (shape,) = (v.spec.shape for v in inputs if v.name not in arrays)
        report(arguments, outputs, shape, labels, device)
        return 0
    answers = _describe(outputs, labels, arguments.top)
    if arguments.output:
        _save(arguments.output, outputs)
    if arguments.json:
        print_json({"model": arguments.model, "device": device, "outputs": answers})
    else:
        _print(answers)
    return 0


def _feeds(
    arguments: argparse.Namespace, arrays: Mapping[str, np.ndarray], inputs: list[Value]
) -> dict[str, np.ndarray]:
    """Every input's array. Raises InputError naming what is missing and how to give it."""
    feeds = dict(arrays)
    missing = [value for value in inputs if value.name not in feeds]
    if arguments.image:
        if len(missing) != 1:
            left = ", ".join(v.name for v in missing) or "no input"
            raise InputError(f"--image fills one input, but {left} is left; use --input")
        feeds[missing[0].name] = _photo(arguments, missing[0])
    elif missing:
        wanted = " ".join(f"--input {v.name}=FILE.npy" for v in missing)
        described = ", ".join(
            f"{v.name} ({v.spec.dtype} {dimensions(v.spec.shape)})" for v in missing
        )
        raise InputError(f"{arguments.model} needs {described}: give {wanted}, or --image PHOTO")
    return feeds


def _photo(arguments: argparse.Namespace, value: Value) -> np.ndarray:
    from clnet.images import PRESETS, load_image

    shape = value.spec.shape
    if len(shape) == 4 and shape[0] > 1:  # as Caffe's nets are written
        one = dimensions((1, *shape[1:]))
        raise InputError(f"{value.name} is a batch of {shape[0]}: give --shape {value.name}={one}")
    given = {
        name: getattr(arguments, name)
        for name in ("mean", "scale", "order")
        if getattr(arguments, name) is not None
    }
    normalization = None
    if given or arguments.preset:
        normalization = replace(PRESETS[arguments.preset or "zero-one"], **given)
    return load_image(
        arguments.image, value.spec.shape, normalization=normalization, layout=arguments.layout,
        resize=arguments.resize, dtype=value.spec.dtype,
    )  # fmt: skip


def _load(path: Path) -> np.ndarray:
    """A NumPy file, mapped: its header may claim any size."""
    import numpy as np

    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} holds several arrays; one per file is needed (.npy)")
    return array


def _save(path: Path, outputs: Mapping[str, np.ndarray]) -> None:
    """What ``numpy.savez`` writes; that one cannot take arrays of every name."""
    import zipfile

    import numpy as np

    try:
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in outputs.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def _describe(
    outputs: Mapping[str, np.ndarray], labels: list[str], number: int
) -> list[dict[str, Any]]:
    """Each output as plain data; ``top`` where it scores classes."""
    from clnet.cli.labels import is_distribution, is_scores, top

    answers = []
    sizes = []
    for name, array in outputs.items():
        answer: dict[str, Any] = {
            "name": name,
            "dtype": array.dtype.name,
            "shape": array.shape,
            "min": array.min().item() if array.size else None,
            "max": array.max().item() if array.size else None,
            "mean": float(array.mean(dtype="float64")) if array.size else None,
        }
        if is_scores(array):
            sizes.append(array.size)
            fitting = labels if len(labels) in (array.size, array.size - 1) else []
            answer["top"] = [asdict(best) for best in top(array, number, fitting)]
            answer["probabilities"] = is_distribution(array)
        answers.append(answer)
    if labels and not any(len(labels) in (size, size - 1) for size in sizes):
        there = f"outputs of {', '.join(map(str, sizes))} classes" if sizes else "no class scores"
        raise InputError(f"{len(labels)} labels do not fit: the model has {there}")
    return answers


def _print(answers: list[dict[str, Any]]) -> None:
    others = [answer for answer in answers if "top" not in answer]
    for answer in answers:
        if "top" in answer:
            print(f"{printable(answer['name'])} ({dimensions(answer['shape'])})")
            for best in answer["top"]:
                score = best["score"]
                shown = f"{score:9.2%}" if answer["probabilities"] else f"{score:9.4g}"
                label = printable(best["label"] or "")
                print(f"  {shown}  {best['index']:5}  {label}".rstrip())
    if others:
        rows = [
            (a["name"], a["dtype"], dimensions(a["shape"]), *(_number(a[k]) for k in _RANGE))
            for a in others
        ]
        print_table(("output", "dtype", "shape", *_RANGE), rows, right="   rrr")


_RANGE = ("min", "max", "mean")


def _number(value: float | int | bool | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _input(text: str) -> tuple[str, Path]:
    """("x", a.npy) out of "x=a.npy"."""
    name, equals, path = text.partition("=")
    if not name or not equals or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not like NAME=FILE.npy")
    return name, Path(path)


def _share(text: str) -> float:
    """0.5 out of "0.5"."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return number


def _numbers(text: str) -> tuple[float, ...]:
    """(0.5, 0.25) out of "1/2,0.25"."""
    try:
        return tuple(float(Fraction(part.strip())) for part in text.split(","))
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 127 or 1/58,1/57,1/57") from None
