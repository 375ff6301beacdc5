"""What is seen of a tuning while it goes on, and how it is ended early."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from clnet.cli.output import has_rich

if TYPE_CHECKING:
    from clnet.tuning.budget import Budget
    from clnet.tuning.tuner import Progress, Watch


@contextmanager
def progress_bar() -> Iterator[Watch]:
    """Hears of trials: a bar on a terminal, nothing elsewhere. It moves between trials only, so as
    not to disturb them."""
    if not sys.stderr.isatty() or not has_rich():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(16),
        TextColumn("{task.percentage:3.0f}%"),
        TextColumn("{task.description}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=1.0)

        def watch(now: Progress) -> None:
            bar.update(task, completed=now.share, description=_line(now), refresh=True)

        yield watch


def _line(now: Progress) -> str:
    left = f"  {now.left // 60:.0f}:{now.left % 60:02.0f} left" if now.left < 1e6 else ""
    gain = f"{now.default * 1e6:.0f} → {now.best * 1e6:.0f} µs ({now.default / now.best:.2f}x)"
    return f"{now.layer}  trial {now.trials}  {gain}{left}"


@contextmanager
def stopped_by_ctrl_c(budget: Budget) -> Iterator[None]:
    """The first Ctrl-C ends the search, and what was found is kept; the second ends the command."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        budget.stop()
        message = "stopping after this trial; what was found is kept (Ctrl-C again: at once)"
        print(f"\nclnet: {message}", file=sys.stderr)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
