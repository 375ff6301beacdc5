"""How far training is, for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """A look at training: ``done`` of an epoch's ``samples``, and mean loss and accuracy so far."""

    epoch: int  #: from 0 on
    epochs: int
    done: int
    samples: int
    loss: float
    accuracy: float
    samples_per_second: float


class Observer(Protocol):
    """Hears about progress, at most a few times a second."""

    def __call__(self, progress: Progress) -> None:
        """Training has come so far."""


@contextmanager
def progress_bar(wanted: bool = True) -> Iterator[Observer | None]:
    """A bar on a terminal, where rich is there; None elsewhere. No thread of its own draws it."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    try:
        from rich import progress as rich_progress
        from rich.console import Console
    except ImportError:
        yield None
        return
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with rich_progress.Progress(
        *columns, console=console, auto_refresh=False, transient=True
    ) as bar:
        task = bar.add_task("training", total=None)
        bar.refresh()

        def show(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.epochs * progress.samples,
                completed=progress.epoch * progress.samples + progress.done,
                description=described(progress),
            )
            bar.refresh()

        yield show


def described(progress: Progress) -> str:
    """One line: "epoch 2 of 5  loss 0.123  accuracy 96.1 %  7810 samples/s"."""
    return (
        f"epoch {progress.epoch + 1} of {progress.epochs}  loss {progress.loss:.4f}"
        f"  accuracy {progress.accuracy:.1%}  {progress.samples_per_second:.0f} samples/s"
    )
