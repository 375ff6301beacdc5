"""`clnet tune [--blas] [MODEL]`: finds what is fastest on this device, and remembers it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli import tune_blas
from clnet.cli.arguments import add_model, positive
from clnet.cli.output import dimensions, print_json
from clnet.cli.progress import progress_bar
from clnet.cli.tune_report import as_data, print_report
from clnet.errors import InputError

if TYPE_CHECKING:
    from clnet.session.tune import TuningReport
    from clnet.tuning.tuner import Tuned


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "tune",
        help="find what is fastest for a model's layers here, and remember it",
        description="Tries algorithms, tiles and work-group sizes for each layer of a model on this"
        " device, in a child process that checks every result and may crash. Records go to the"
        " user's own file, or with --board to the board's, fit for contributing.",
    )
    add_model(parser, optional=True)
    parser.add_argument(
        "--blas",
        action="store_true",
        help="tune the kernels of CLBlast, first if there is a MODEL, which may take as long again",
    )
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
    """Tune CLBlast, the model, or both."""
    result = {}
    if arguments.blas:
        result["blas"] = tune_blas.run(arguments, _board_file(arguments.board))
    elif arguments.model is None:
        raise InputError("what is to be tuned: a MODEL, --blas, or both?")
    if arguments.model is not None:
        result |= _tune_model(arguments)
    if arguments.json:
        print_json(result)
    return 0


def _tune_model(arguments: argparse.Namespace) -> dict[str, Any]:
    from clnet.session.tune import tune

    with progress_bar("the model's time") as progress:
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
    if not arguments.json:
        _print(report)
    return {
        "model": arguments.model,
        "untuned_ms": report.untuned * 1e3,
        "tuned_ms": report.tuned * 1e3,
        "noise_ms": report.noise * 1e3,
        "gain": report.gain,
        "workloads": report.jobs,
        **as_data(report, "layers", _data),
    }


def _board_file(name: str | None) -> Path | None:
    if name is None:
        return None
    from clnet.boards import find_board, records_path

    return records_path(find_board(name))


def _data(tuned: Tuned) -> dict[str, Any]:
    return {
        "op": tuned.workload.op.label,
        "shape": list(tuned.workload.output.shape),
        "default_us": tuned.default_seconds * 1e6,
        "us": tuned.seconds * 1e6,
    }


def _row(tuned: Tuned) -> tuple[str, ...]:
    data = _data(tuned)
    times = (f"{data[name]:.1f}" for name in ("default_us", "us"))
    return (data["op"], dimensions(data["shape"]), *times)


def _print(report: TuningReport) -> None:
    change = f"{report.gain:.2f}x as fast" if report.gain > 0 else ""
    fields = {
        "layers": f"{len(report.results)} tuned, {report.already_tuned} already were,"
        f" of {report.jobs} different ones, in {report.seconds:.0f} s",
        "model": f"{report.untuned * 1e3:.3f} ms untuned, {report.tuned * 1e3:.3f} ms tuned"
        f" (± {report.noise * 1e3:.3f}): {change}",
    }
    print_report(report, ("layer", "output", "default µs", "best µs"), "  rr", _row, fields)
