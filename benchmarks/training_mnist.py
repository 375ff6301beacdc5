"""Training on MNIST beside what was published for a CUDA CNN that trains in the same way, and
beside PyTorch and Darknet in the same run.

    python -m benchmarks.training_mnist --data FOLDER [--peers-python PYTHON] [--darknet LIBRARY]

FOLDER holds MNIST's four files. The network is LeNet (6 and 16 maps of 5x5 with max-pooling, 120
units, 10 classes; tanh and softmax), with the same first weights and the same order of samples
everywhere. It is trained twice: one sample at a time by SGD with a learning rate of 0.001 that
falls by a factor of 0.993 each epoch, as published; then in batches of 64 by Adam with 0.003 down
to 0 along a cosine. Seconds are those of training alone, for each 60,000 samples.

Darknet trains one sample at a time only. Debian's package `darknet` has its library.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import clnet
from clnet.cli.arguments import positive
from clnet.cli.output import print_json, print_table, working
from clnet.datasets import Dataset, mnist

EPOCH = 60_000
#: Seconds for 60,000 digits, one at a time, without and with elastic distortion, as published for
#: a CNN in CUDA that keeps forward pass, error, backward pass and updates on the device.
PUBLISHED = (
    ("the CUDA CNN", "GTX 750 Ti", 50.7, 67.9),
    ("Darknet", "GTX 750 Ti", 56.7, 72.8),
    ("Caffe", "GTX 750 Ti", 78.6, None),
    ("CUDA-CNN", "GTX 750 Ti", 115.9, 130.6),
    ("a CPU program", "CPU", 128.7, 180.6),
)
ELASTIC = clnet.Augmentation(elastic=34, smoothness=4)
RATE, DECAY = 0.001, 0.993
ADAM_RATE = 0.003
HERE = "this machine's CPU"


@dataclass(frozen=True)
class Task:
    """One way to train, ``samples`` an epoch."""

    title: str
    batch: int
    adam: bool
    epochs: int
    samples: int

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return -(-self.samples // self.batch)

    @property
    def rate(self) -> clnet.schedules.Schedule:
        """The learning rate, for every runtime."""
        if self.adam:
            return clnet.schedules.Cosine(ADAM_RATE, self.epochs * self.steps, per="step")
        return clnet.schedules.Exponential(RATE, DECAY)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_mnist",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", metavar="FOLDER", type=Path, required=True)
    parser.add_argument("--samples", type=positive, default=EPOCH, help="of an epoch (all)")
    parser.add_argument(
        "--epochs", type=positive, default=1, help="one sample at a time (default: 1)"
    )
    parser.add_argument("--batch-epochs", type=positive, default=5, help="in batches (default: 5)")
    parser.add_argument(
        "--only", choices=("samples", "batches"), help="one sample at a time, or in batches"
    )
    parser.add_argument(
        "--peers-python", metavar="PYTHON", default=sys.executable,
        help="interpreter that has PyTorch (default: this one)",
    )  # fmt: skip
    parser.add_argument("--threads", type=positive, default=2, help="of PyTorch (default: 2)")
    parser.add_argument(
        "--darknet", metavar="LIBRARY", default="libdarknet.so",
        help="Darknet's library (default: where the loader finds libdarknet.so)",
    )  # fmt: skip
    parser.add_argument("--device", help="clnet's device, as everywhere")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser.parse_args()


def train_clnet(
    task: Task, device: str | None, train: Dataset, test: Dataset, elastic: bool = False
) -> dict[str, Any]:
    """clnet's seconds per 60,000 and test accuracies, by epoch."""
    kind = clnet.optimizers.Adam if task.adam else clnet.optimizers.SGD
    net = clnet.models.lenet()
    with clnet.Trainer(net, optimizer=kind(task.rate), device=device) as trainer:
        history = trainer.fit(
            train.x, train.y, task.batch, task.epochs, (test.x, test.y),
            augmentation=ELASTIC if elastic else None,
        )  # fmt: skip
        return {
            "runtime": f"clnet{' with elastic distortion' if elastic else ''}",
            "where": str(trainer.device),
            "seconds": [s * EPOCH / len(train) for s in history.seconds],
            "accuracy": history.validation_accuracy,
        }


def train_peer(
    runtime: str, python: str, task: Task, train: Dataset, test: Dataset, **options: Any
) -> dict[str, Any]:
    """The same for a peer, in a process of its own; {"fault": ...} where it is not to be had."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.npz"
        everything = np.arange(len(train)), np.arange(len(test))
        epochs = range(task.epochs)
        orders = [np.random.default_rng((0, e)).permutation(len(train)) for e in epochs]
        rates = [[task.rate(e, e * task.steps + s) for s in range(task.steps)] for e in epochs]
        job = {"batch": task.batch, "adam": task.adam, "rate": RATE, "decay": DECAY, **options}
        np.savez(
            path, x=train.x[everything[0]], y=train.y, xv=test.x[everything[1]], yv=test.y,
            order=np.stack(orders), rates=np.array(rates), **clnet.models.lenet().parameters,
        )  # fmt: skip
        worker = Path(__file__).with_name(f"training_mnist_{runtime.lower()}.py")
        try:
            done = subprocess.run(
                [python, str(worker), str(path), json.dumps(job)],
                capture_output=True, text=True, errors="replace", check=False,
            )  # fmt: skip
        except OSError as error:
            return {"runtime": runtime, "fault": f"{python}: {error.strerror}"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        return {"runtime": runtime, "fault": last}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    answer["seconds"] = [s * EPOCH / len(train) for s in answer["seconds"]]
    version = answer.pop("version", "")
    return {"runtime": f"{runtime} {version}".rstrip(), "where": HERE, **answer}


def measure(
    task: Task, options: argparse.Namespace, train: Dataset, test: Dataset
) -> list[dict[str, Any]]:
    """What every runtime makes of a task, clnet first."""
    measured = []
    with working("clnet"):
        measured.append(train_clnet(task, options.device, train, test))
    with working("PyTorch"):
        measured.append(
            train_peer("PyTorch", options.peers_python, task, train, test, threads=options.threads)
        )
    if task.batch > 1:
        return measured
    with working("Darknet"):
        measured.append(
            train_peer("Darknet", sys.executable, task, train, test, library=options.darknet)
        )
    with working("clnet with elastic distortion"):
        measured.append(train_clnet(task, options.device, train, test, True))
    return measured


def report(task: Task, measured: Sequence[dict[str, Any]]) -> None:
    """Print a task's table, and how far clnet's accuracy is from PyTorch's."""
    print(f"\nmeasured here, {task.title}, {task.samples} samples an epoch:\n")
    rows: list[tuple[str, ...]] = []
    for result in measured:
        if "fault" in result:
            print(f"{result['runtime']} is missing: {result['fault']}\n")
            continue
        epochs = zip(result["seconds"], result["accuracy"], strict=True)
        rows += [
            (result["runtime"], result["where"], str(epoch + 1), f"{seconds:.2f}", f"{share:.2%}")
            for epoch, (seconds, share) in enumerate(epochs)
        ]
    headers = ("program", "hardware", "epoch", "seconds per 60,000", "test accuracy")
    print_table(headers, rows, "llrrr")
    for peer in measured[1:]:
        if "fault" not in peer and not peer["runtime"].startswith("clnet"):
            points = 100 * (measured[0]["accuracy"][-1] - peer["accuracy"][-1])
            print(f"\nclnet's last test accuracy minus {peer['runtime']}'s: {points:+.2f} points")


def main() -> int:
    """Measure, print, return the exit status."""
    options = arguments()
    train, test = mnist(options.data), mnist(options.data, "test")
    if options.samples < len(train):
        train = train.part(slice(options.samples))
    tasks = {
        "samples": Task("one sample at a time by SGD", 1, False, options.epochs, len(train)),
        "batches": Task("batches of 64 by Adam", 64, True, options.batch_epochs, len(train)),
    }
    chosen = [options.only] if options.only else list(tasks)
    measured = {name: measure(tasks[name], options, train, test) for name in chosen}
    if options.json:
        fields = ("runtime", "where", "seconds", "elastic_seconds")
        published = [dict(zip(fields, row, strict=True)) for row in PUBLISHED]
        print_json({"measured": measured, "published": published})
        return 0
    print("published, seconds per 60,000 samples, one at a time:\n")
    rows = [(n, w, f"{a:.1f}", "" if b is None else f"{b:.1f}") for n, w, a, b in PUBLISHED]
    print_table(("program", "hardware", "plain", "elastic distortion"), rows, "llrr")
    for name, results in measured.items():
        report(tasks[name], results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
