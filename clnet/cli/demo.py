"""`clnet demo`: train a small network on this device, export it, load it back and run it."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_device, add_json
from clnet.cli.output import amount, print_fields, print_json, working
from clnet.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from clnet.runtime.devices import Device
    from clnet.session.session import Session
    from clnet.training import History

_EPOCHS, _BATCH = 14, 32
_HELD_OUT = 360  # digits of 1797 that are not trained on, the same ones each time
_EXPECTED = 0.97  # of these are recognised wherever the device computes rightly
_SHOWN = (2, 3, 5, 7)  # the first of each that is held out
_RUNS = 200
_SHADES = " ░▒▓█"
_PLAIN_SHADES = " .:*#"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="train a small network here, export it and run it",
        description="Trains a small convolutional network on scikit-learn's handwritten digits,"
        " exports it as ONNX, loads it back and runs it on digits it was not trained on.",
    )
    add_device(parser)
    parser.add_argument("--output", metavar="FILE.onnx", type=Path, help="keep the trained model")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; status 1 where fewer digits than expected are recognised."""
    from clnet.runtime.devices import find_device

    started = time.perf_counter()
    x, y, held_out_x, held_out_y = digits()
    device = find_device(arguments.device)
    if not arguments.json:
        print_fields({"device": str(device), "digits": f"{len(x)} to train on, {_HELD_OUT} held"})
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.output or Path(folder) / "digits.onnx"
        history = _train(device, x, y, path, quiet=arguments.json)
        answer, predicted = _use(path, device, held_out_x, held_out_y)
    answer |= {
        "train_seconds": sum(history.seconds), "train_loss": history.loss[-1],
        "seconds": time.perf_counter() - started,
    }  # fmt: skip
    good = answer["accuracy"] >= _EXPECTED
    if arguments.json:
        print_json({"device": str(device), **answer})
    else:
        shown = [held_out_y.tolist().index(digit) for digit in _SHOWN]
        _print(answer, held_out_x[shown, 0], [predicted[i] for i in shown])
        if not good:
            print(f"fewer than {_EXPECTED:.0%} are recognised: ask `clnet doctor`", file=sys.stderr)
    return 0 if good else 1


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images [N, 1, 8, 8] from 0 to 1 and labels: those to train on, then those held out."""
    import numpy as np

    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError("the demo needs scikit-learn: pip install 'clnet[demo]'") from None
    data = load_digits()
    x, y = (data.images / 16).astype(np.float32)[:, None], data.target
    order = np.random.default_rng(0).permutation(len(x))
    held, kept = order[:_HELD_OUT], order[_HELD_OUT:]
    return x[kept], y[kept], x[held], y[held]


def _train(device: Device, x: np.ndarray, y: np.ndarray, path: Path, quiet: bool) -> History:
    import clnet

    rate = clnet.schedules.Step(0.1, every=math.ceil(0.7 * _EPOCHS), factor=1 / 8)
    optimizer = clnet.optimizers.SGD(rate)
    with clnet.Trainer(clnet.models.digits_cnn(), optimizer=optimizer, device=device) as trainer:
        history = trainer.fit(x, y, _BATCH, _EPOCHS, progress=not quiet)
        trainer.export(path)
    return history


def _use(
    path: Path, device: Device, x: np.ndarray, y: np.ndarray
) -> tuple[dict[str, Any], list[int]]:
    """What the exported model takes the digits for, and at what cost."""
    import clnet

    with working("compiling the exported model"), clnet.load(path, device) as session:
        predicted = [int(_classify(session, image).argmax()) for image in x]
        seconds = []
        before = session.stats.bytes_copied
        for i in range(_RUNS):
            started = time.perf_counter()
            _classify(session, x[i])
            seconds.append(time.perf_counter() - started)
        stats = session.stats
        answer = {
            "accuracy": sum(p == t for p, t in zip(predicted, y.tolist(), strict=True)) / len(y),
            "latency_ms": statistics.median(seconds) * 1e3,
            "launches": stats.launches,
            "bytes_copied_per_run": (stats.bytes_copied - before) // _RUNS,
            "model_bytes": path.stat().st_size,
        }
    return answer, predicted


def _classify(session: Session, image: np.ndarray) -> np.ndarray:
    """Scores of one image, written into and read from the device's own memory."""
    with session.map_input("x") as view:
        view[0] = image
    session.execute()
    with session.map_output("y") as scores:
        return scores[0].copy()


def _print(answer: dict[str, Any], images: np.ndarray, predicted: list[int]) -> None:
    print_fields(
        {
            "trained": f"{_EPOCHS} epochs in {answer['train_seconds']:.1f} s,"
            f" loss {answer['train_loss']:.3f}",
            "exported": f"{amount(answer['model_bytes'])} of ONNX, loaded back",
            "accuracy": f"{answer['accuracy']:.1%} of digits not trained on",
            "latency": f"{answer['latency_ms']:.3f} ms an image",
            "launches": f"{answer['launches']} a run",
            "copied": f"{answer['bytes_copied_per_run']} bytes a run",
            "all in all": f"{answer['seconds']:.1f} s",
        }
    )
    print()
    for line in _drawn(images):
        print(line)
    print("".join(f"   this is a {digit}".ljust(18) for digit in predicted).rstrip())


def _drawn(images: np.ndarray) -> list[str]:
    """Images side by side, two characters a pixel."""
    shades = _SHADES
    try:
        shades.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        shades = _PLAIN_SHADES
    lines = []
    for y in range(images.shape[1]):
        rows = ("".join(2 * shades[int(v * (len(shades) - 1) + 0.5)] for v in i[y]) for i in images)
        lines.append("  ".join(rows).rstrip())
    return lines
