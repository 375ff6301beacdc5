"""Training on MNIST, one sample at a time or in batches, beside what was published for a CUDA CNN
that trains in the same way, and beside PyTorch in the same run.

    python -m benchmarks.training_mnist --data FOLDER [--peers-python PYTHON]

FOLDER holds MNIST's four files. The network is LeNet (6 and 16 maps of 5x5 with max-pooling, 120
units, 10 classes; tanh and softmax), trained by SGD with a learning rate of 0.001 that falls by a
factor of 0.993 each epoch, with the same first weights and the same order of samples everywhere.
Seconds are those of training alone, for each 60,000 samples.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
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


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_mnist",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", metavar="FOLDER", type=Path, required=True)
    parser.add_argument("--samples", type=positive, default=EPOCH, help="of an epoch (all)")
    parser.add_argument("--epochs", type=positive, default=1)
    parser.add_argument("--batch", type=positive, default=1, help="1: as published")
    parser.add_argument(
        "--adam", action="store_true",
        help=f"Adam, from {ADAM_RATE} down to 0 along a cosine, instead of SGD",
    )  # fmt: skip
    parser.add_argument("--no-elastic", action="store_true", help="leave elastic distortion out")
    parser.add_argument(
        "--peers-python", metavar="PYTHON", default=sys.executable,
        help="interpreter that has PyTorch (default: this one)",
    )  # fmt: skip
    parser.add_argument("--threads", type=positive, default=2, help="of PyTorch (default: 2)")
    parser.add_argument("--device", help="clnet's device, as everywhere")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser.parse_args()


def train_clnet(
    options: argparse.Namespace, train: Dataset, test: Dataset, elastic: bool
) -> dict[str, Any]:
    """clnet's seconds per 60,000 and test accuracies, by epoch."""
    kind = clnet.optimizers.Adam if options.adam else clnet.optimizers.SGD
    optimizer = kind(schedule(options, len(train)))
    with clnet.Trainer(clnet.models.lenet(), optimizer=optimizer, device=options.device) as trainer:
        history = trainer.fit(
            train.x, train.y, options.batch, options.epochs, (test.x, test.y),
            augmentation=ELASTIC if elastic else None,
        )  # fmt: skip
        return {
            "runtime": f"clnet{' with elastic distortion' if elastic else ''}",
            "where": str(trainer.device),
            "seconds": [s * EPOCH / len(train) for s in history.seconds],
            "accuracy": history.validation_accuracy,
        }


def schedule(options: argparse.Namespace, samples: int) -> clnet.schedules.Schedule:
    """The learning rate, for every runtime."""
    if not options.adam:
        return clnet.schedules.Exponential(RATE, DECAY)
    steps = options.epochs * -(-samples // options.batch)
    return clnet.schedules.Cosine(ADAM_RATE, steps, per="step")


def train_pytorch(options: argparse.Namespace, train: Dataset, test: Dataset) -> dict[str, Any]:
    """The same for PyTorch, in a process of its own; {"fault": ...} where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.npz"
        everything = np.arange(len(train)), np.arange(len(test))
        orders = [np.random.default_rng((0, e)).permutation(len(train))
                  for e in range(options.epochs)]  # fmt: skip
        rate, steps = schedule(options, len(train)), -(-len(train) // options.batch)
        rates = [[rate(e, e * steps + s) for s in range(steps)] for e in range(options.epochs)]
        job = {"batch": options.batch, "adam": options.adam, "threads": options.threads}
        np.savez(
            path, x=train.x[everything[0]], y=train.y, xv=test.x[everything[1]], yv=test.y,
            order=np.stack(orders), rates=np.array(rates), **clnet.models.lenet().parameters,
        )  # fmt: skip
        worker = Path(__file__).with_name("training_mnist_pytorch.py")
        try:
            done = subprocess.run(
                [options.peers_python, str(worker), str(path), json.dumps(job)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except OSError as error:
            return {"runtime": "PyTorch", "fault": f"{options.peers_python}: {error.strerror}"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return {"runtime": "PyTorch", "fault": last}
    answer: dict[str, Any] = json.loads(done.stdout)
    answer["seconds"] = [s * EPOCH / len(train) for s in answer["seconds"]]
    return {"runtime": f"PyTorch {answer.pop('version')}", "where": "this machine's CPU", **answer}


def main() -> int:
    """Measure, print, return the exit status."""
    options = arguments()
    train, test = mnist(options.data), mnist(options.data, "test")
    if options.samples < len(train):
        train = train.part(slice(options.samples))
    measured = []
    with working("clnet"):
        measured.append(train_clnet(options, train, test, False))
    if not options.no_elastic:
        with working("clnet with elastic distortion"):
            measured.append(train_clnet(options, train, test, True))
    with working("PyTorch"):
        measured.append(train_pytorch(options, train, test))
    if options.json:
        published = [
            dict(zip(("runtime", "where", "seconds", "elastic_seconds"), row, strict=True))
            for row in PUBLISHED
        ]
        print_json({"measured": measured, "published": published})
        return 0
    print("published, seconds per 60,000 samples, one at a time:\n")
    rows = [(n, w, f"{a:.1f}", "" if b is None else f"{b:.1f}") for n, w, a, b in PUBLISHED]
    print_table(("program", "hardware", "plain", "elastic distortion"), rows, "llrr")
    print(f"\nmeasured here, batch {options.batch}, {len(train)} samples an epoch:\n")
    rows = []
    for result in measured:
        if "fault" in result:
            print(f"{result['runtime']} is left out: {result['fault']}\n")
            continue
        epochs = zip(result["seconds"], result["accuracy"], strict=True)
        rows += [
            (result["runtime"], result["where"], str(epoch + 1), f"{seconds:.2f}", f"{share:.2%}")
            for epoch, (seconds, share) in enumerate(epochs)
        ]
    print_table(("program", "hardware", "epoch", "seconds per 60,000", "test accuracy"), rows,
                "llrrr")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
