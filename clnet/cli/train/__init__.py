"""`clnet train`: train or fine-tune a network on this device."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_device, add_json, positive
from clnet.cli.output import amount, print_fields, print_json, print_table, working
from clnet.errors import DataError, InputError

if TYPE_CHECKING:
    from clnet.datasets import Dataset
    from clnet.models.recipe import Recipe
    from clnet.training import History
    from clnet.training.augmentation import Augmentation

_AUGMENTATIONS = {
    "rotation": "rotate images by up to so many degrees either way",
    "scale": "make them up to this share larger or smaller",
    "shift": "move them by up to so many pixels",
    "elastic": "distort them by a smooth field of displacements of this factor (MNIST: 34)",
    "noise": "add noise of this standard deviation",
}
_EPOCHS = 5


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train or fine-tune a network on this device",
        description="Trains a network on this device: one of clnet's own by name (lenet, vgg16,"
        " resnet18, mobilenet_v2, …), a model file with its weights (ONNX, TFLite), a Caffe solver"
        " or train prototxt, or a Darknet cfg. Where a model file has another number of classes"
        " than the data, its last layer is replaced.",
    )
    parser.add_argument("model", metavar="MODEL", help="name or file of the network")
    parser.add_argument(
        "--data",
        metavar="PATH",
        type=Path,
        required=True,
        help="MNIST's files, a folder of folders of images (one for each class; also below train"
        " and test), or an .npz of x and y",
    )
    parser.add_argument("--size", metavar="HxW", type=_size, help="size of images (default: 64x64)")
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="what pixels go through: zero-one, minus-one-one, raw, imagenet or ultraface (default:"
        " zero-one, or as the network's file says)",
    )
    parser.add_argument(
        "--hold-out",
        metavar="SHARE",
        type=float,
        default=0.0,
        help="share of the training data to validate with, where there is no test part",
    )
    parser.add_argument("--weights", metavar="FILE", type=Path, help="weights to begin with")
    parser.add_argument(
        "--features",
        metavar="NODE",
        help="take a model file up to this node, and put a new classifier behind",
    )
    parser.add_argument(
        "--freeze",
        metavar="PATTERN",
        action="append",
        default=[],
        help="parameters to leave as they are, such as 'conv1.*'; may be repeated",
    )
    _add_training(parser)
    _add_files(parser)
    add_device(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def _add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", metavar="N", type=positive, help=f"default: {_EPOCHS}")
    group.add_argument("--batch", metavar="N", type=positive, help="samples a step (default: 64)")
    group.add_argument(
        "--optimizer", choices=("sgd", "rmsprop", "adam", "adamw"), help="default: adam"
    )
    group.add_argument("--rate", metavar="R", type=float, help="learning rate (default: 0.001)")
    group.add_argument(
        "--decay-rate", metavar="F", type=float, help="factor of the learning rate each epoch"
    )
    group.add_argument("--momentum", metavar="M", type=float, help="of sgd and rmsprop")
    group.add_argument("--weight-decay", metavar="D", type=float)
    group.add_argument("--early-stop", metavar="N", type=positive, help="epochs without progress")
    group.add_argument("--seed", metavar="N", type=int, default=0, help="default: 0")
    group.add_argument("--flip", action="store_true", help="mirror every second image")
    for name, text in _AUGMENTATIONS.items():
        group.add_argument(f"--{name}", metavar="X", type=float, help=text)


def _add_files(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    group.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="where the network goes: .onnx, or its weights alone: .safetensors",
    )
    group.add_argument("--plot", metavar="FILE", type=Path, help="curves of loss and accuracy, PNG")
    group.add_argument(
        "--checkpoint", metavar="FILE", type=Path, help="written every minute, to go on from"
    )
    group.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint, if it is there"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; its exit status."""
    from clnet.cli.train.networks import prepare
    from clnet.cli.train.plot import check_plot, save_plot
    from clnet.training import EarlyStop, Trainer

    if arguments.output is not None and arguments.output.suffix not in (".onnx", ".safetensors"):
        raise InputError(f"{arguments.output} is neither .onnx nor .safetensors")
    if arguments.plot is not None:
        check_plot(arguments.plot)
    if arguments.resume and arguments.checkpoint is None:
        raise InputError("--resume needs the --checkpoint to go on from")
    recipe, data, test, notes = prepare(arguments)
    augmentation = _augmentation(arguments, recipe)
    if arguments.freeze:
        recipe.net.freeze(*arguments.freeze)
    batch = arguments.batch or recipe.batch_size
    epochs = arguments.epochs or (recipe.epochs(len(data)) if recipe.iterations else _EPOCHS)
    with Trainer(
        recipe.net, recipe.loss, _optimizer(arguments, recipe), arguments.device
    ) as trainer:
        for part in (data, test):
            if part is not None:
                with _naming(arguments.data):
                    trainer.check(part.x, part.y)  # before it is compiled, which takes a while
        with working("compiling"):
            memory = trainer.memory(batch, test is not None, augmentation)
        before = {
            "network": f"{arguments.model}, {_count(recipe)}",
            "data": _described(data, test),
            "device": str(trainer.device),
            "memory": f"{amount(memory.peak)} at peak: {amount(memory.weights)} weights,"
            f" {amount(memory.optimizer)} optimizer, {amount(memory.work)} work",
        }
        if not arguments.json:
            for note in notes:
                print(note)
            print_fields(before)
        with _naming(arguments.data):
            history = trainer.fit(
                data.x, data.y, batch, epochs,
                (test.x, test.y) if test is not None else None,
                arguments.seed,
                augmentation=augmentation,
                early_stop=_early_stop(EarlyStop, arguments, test),
                checkpoint=arguments.checkpoint,
                resume=arguments.resume,
                progress=not arguments.json,
            )  # fmt: skip
        if arguments.output is not None:
            if arguments.output.suffix == ".onnx":
                trainer.export(arguments.output)
            else:
                trainer.save(arguments.output)
    if arguments.plot is not None:
        save_plot(history, arguments.plot, Path(arguments.model).name)
    _report(arguments, history, memory.peak)
    return 0


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Have what is wrong with data say where they are from."""
    try:
        yield
    except DataError as error:
        raise InputError(f"{file}: {error}") from None


def _report(arguments: argparse.Namespace, history: History, peak: int) -> None:
    columns = {
        "loss": history.loss,
        "accuracy": history.accuracy,
        "validation_loss": history.validation_loss,
        "validation_accuracy": history.validation_accuracy,
    }
    files = [f for f in (arguments.output, arguments.plot, arguments.checkpoint) if f is not None]
    if arguments.json:
        print_json(
            {
                **columns,
                "seconds": history.seconds,
                "samples_per_second": history.samples_per_second,
                "memory_bytes": peak,
                "files": [str(f) for f in files],
            }
        )
        return
    print()
    given = {name: values for name, values in columns.items() if values}
    rows = [
        [epoch + 1, *(_cell(name, values[epoch]) for name, values in given.items()),
         f"{history.seconds[epoch]:.2f}", f"{history.samples / history.seconds[epoch]:.0f}"]
        for epoch in range(len(history.loss))
    ]  # fmt: skip
    headers = ["epoch", *(n.replace("_", " ") for n in given), "seconds", "samples/s"]
    print_table(headers, rows, "r" * len(headers))
    for file in files:
        print(f"\nwrote {file}" if file is files[0] else f"wrote {file}")


def _cell(name: str, value: float) -> str:
    return f"{value:.2%}" if name.endswith("accuracy") else f"{value:.4f}"


def _count(recipe: Recipe) -> str:
    net = recipe.net
    trained = sum(a.size for n, a in net.parameters.items() if n not in net.frozen)
    total = sum(a.size for a in net.parameters.values())
    frozen = f", {total - trained:,} frozen" if trained < total else ""
    return f"{trained:,} weights to train{frozen}"


def _described(data: Dataset, test: Dataset | None) -> str:
    shape = "x".join(map(str, data.x.shape[1:]))
    held_out = f", {len(test):,} to validate with" if test is not None else ""
    return f"{len(data):,} samples {shape}{held_out}"


def _optimizer(arguments: argparse.Namespace, recipe: Recipe) -> Any:
    """The recipe's, unless anything about it is asked for."""
    from clnet.training import optimizers, schedules

    asked = {
        name: getattr(arguments, name)
        for name in ("momentum", "weight_decay")
        if getattr(arguments, name) is not None
    }
    if not asked and all(
        getattr(arguments, name) is None for name in ("optimizer", "rate", "decay_rate")
    ):
        return recipe.optimizer
    kinds = {
        "sgd": optimizers.SGD, "rmsprop": optimizers.RMSprop,
        "adam": optimizers.Adam, "adamw": optimizers.AdamW,
    }  # fmt: skip
    name = arguments.optimizer or "adam"
    if "momentum" in asked and name not in ("sgd", "rmsprop"):
        raise InputError(f"{name} has no momentum of its own; choose --optimizer sgd")
    rate: Any = arguments.rate if arguments.rate is not None else 0.001
    if arguments.decay_rate is not None:
        rate = schedules.Exponential(rate, arguments.decay_rate)
    return kinds[name](rate, **asked)


def _augmentation(arguments: argparse.Namespace, recipe: Recipe) -> Augmentation | None:
    """The recipe's, unless any is asked for."""
    from clnet.training.augmentation import Augmentation

    asked = {n: getattr(arguments, n) for n in _AUGMENTATIONS if getattr(arguments, n) is not None}
    if arguments.flip:
        asked["flip"] = True
    return Augmentation(**asked) if asked else recipe.augmentation


def _early_stop(kind: Any, arguments: argparse.Namespace, test: Dataset | None) -> Any:
    if arguments.early_stop is None:
        return None
    return kind(arguments.early_stop, "validation_loss" if test is not None else "loss")


def _size(text: str) -> tuple[int, int]:
    parts = text.split("x")
    if len(parts) == 1:
        parts *= 2
    if len(parts) != 2 or not all(p.isdecimal() and int(p) for p in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 64x64")
    return int(parts[0]), int(parts[1])
