"""`clnet tune MODEL`: finds what is fastest on this device, and remembers it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_model, positive
from clnet.cli.output import has_rich, print_fields, print_json, print_table

if TYPE_CHECKING:
    from clnet.session.tune import TuningReport
    from clnet.tuning.tuner import Tuned

Progress = Callable[[str, float], None]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "tune",
        help="find what is fastest for a model's layers here, and remember it",
        description="Tries algorithms, tiles and work-group sizes for each layer of a model on this"
        " device, in a child process that checks every result and may crash. Records go to the"
        " user's own file, or with --board to the board's, fit for contributing.",
    )
    add_model(parser)
    parser.add_argument(
        "--budget", metavar="SECONDS", type=positive, default=120, help="(default: 120)"
    )
    parser.add_argument(
        "--level",
        choices=("fast", "normal", "exhaustive"),
        default="normal",
        help="how many points are tried per layer (default: normal)",
    )
    parser.add_argument("--board", metavar="NAME", help="write records for this board")
    parser.add_argument("--force", action="store_true", help="tune again what is tuned already")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tune the model."""
    from clnet.session.tune import tune

    with progress_bar() as progress:
        report = tune(
            arguments.model,
            arguments.device,
            arguments.precision,
            dict(arguments.shape),
            arguments.weights,
            budget=arguments.budget,
            level=arguments.level,
            path=_board_file(arguments.board),
            force=arguments.force,
            progress=progress,
        )
    if arguments.json:
        print_json({"model": arguments.model, **_result(report)})
    else:
        _print(report)
    return 0


def _board_file(name: str | None) -> Path | None:
    if name is None:
        return None
    from clnet.boards import find_board, records_path

    return records_path(find_board(name))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Hears what is done and which share of all; a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty() or not has_rich():
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("tuning"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} % of the model's time"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, completed=share, description=what)


def _result(report: TuningReport) -> dict[str, Any]:
    return {
        "device": report.device,
        "untuned_ms": report.untuned * 1e3,
        "tuned_ms": report.tuned * 1e3,
        "noise_ms": report.noise * 1e3,
        "gain": report.gain,
        "seconds": report.seconds,
        "workloads": report.jobs,
        "already_tuned": report.already_tuned,
        "notes": report.notes,
        "layers": [
            {
                "op": t.workload.op.label,
                "shape": list(t.workload.output.shape),
                "default_us": t.default_seconds * 1e6,
                "us": t.seconds * 1e6,
                "choice": str(t.point),
                "trials": t.trials,
                "failures": {str(p): reason for p, reason in t.failures.items()},
            }
            for t in report.results
        ],
    }


def _print(report: TuningReport) -> None:
    if report.results:
        headers = ("layer", "output", "default µs", "best µs", "gain", "tried", "failed", "choice")
        print_table(headers, [_row(t) for t in report.results], right="  rrrrr")
        print()
    for tuned in report.results:
        for point, reason in tuned.failures.items():
            print(f"failed: {tuned.workload.op.label} {point}: {reason}")
    for note in report.notes:
        print(f"note: {note}")
    change = f"{report.gain:.2f}x as fast" if report.gain > 0 else ""
    print_fields(
        {
            "device": report.device,
            "layers": f"{len(report.results)} tuned, {report.already_tuned} already were,"
            f" of {report.jobs} different ones, in {report.seconds:.0f} s",
            "model": f"{report.untuned * 1e3:.3f} ms untuned, {report.tuned * 1e3:.3f} ms tuned"
            f" (± {report.noise * 1e3:.3f}): {change}",
        }
    )


def _row(tuned: Tuned) -> tuple[str, ...]:
    return (
        tuned.workload.op.label,
        "x".join(map(str, tuned.workload.output.shape)),
        f"{tuned.default_seconds * 1e6:.1f}",
        f"{tuned.seconds * 1e6:.1f}",
        f"{tuned.default_seconds / tuned.seconds:.2f}",
        str(tuned.trials),
        str(len(tuned.failures)),
        str(tuned.point),
    )
