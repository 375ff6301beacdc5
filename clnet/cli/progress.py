"""A bar for what takes minutes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clnet.cli.output import has_rich

Progress = Callable[[str, float], None]


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """Hears what is done and which share of ``what`` that is; a bar on a terminal, nothing
    elsewhere."""
    if not sys.stderr.isatty() or not has_rich():
        yield lambda done, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("tuning"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} % of " + what),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda done, share: bar.update(task, completed=share, description=done)
