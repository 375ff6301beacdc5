"""`clnet tune [--blas] [MODEL]`: finds what is fastest on this device, and remembers it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli import tune_blas
from clnet.cli.arguments import add_model, positive
from clnet.cli.output import dimensions, print_json
from clnet.cli.progress import progress_bar, stopped_by_ctrl_c
from clnet.cli.tune_report import as_data, print_report
from clnet.errors import InputError

if TYPE_CHECKING:
    from clnet.session.tune import TuningReport
    from clnet.tuning.budget import Budget
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
    parser.add_argument(
        "--report", metavar="FILE.html", type=Path, help="write a page that shows what was found"
    )
    parser.add_argument("--force", action="store_true", help="tune again what is tuned already")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tune CLBlast, the model, or both."""
    from clnet.tuning.budget import Budget

    if arguments.model is None and not arguments.blas:
        raise InputError("what is to be tuned: a MODEL, --blas, or both?")
    if arguments.report and arguments.model is None:
        raise InputError("--report shows a model's layers: which MODEL?")
    result: dict[str, Any] = {}
    stopped = False
    if arguments.blas:
        budget = Budget(arguments.budget)
        with stopped_by_ctrl_c(budget):
            result["blas"] = tune_blas.run(arguments, budget, _board_file(arguments.board))
        stopped = budget.stopped
    if arguments.model is not None and not stopped:
        budget = Budget(arguments.budget)
        with stopped_by_ctrl_c(budget):
            result |= _tune_model(arguments, budget)
        stopped = budget.stopped
    if arguments.json:
        print_json(result)
    if stopped:
        raise KeyboardInterrupt
    return 0


def _tune_model(arguments: argparse.Namespace, budget: Budget) -> dict[str, Any]:
    from clnet.session.tune import tune

    with progress_bar() as watch:
        report = tune(
            arguments.model,
            arguments.device,
            arguments.precision,
            dict(arguments.shape),
            arguments.weights,
            budget=budget,
            level=arguments.level,
            path=_board_file(arguments.board),
            force=arguments.force,
            watch=watch,
        )
    if arguments.report:
        from clnet.cli.tuning_page import write_page

        write_page(arguments.report, arguments.model, report)
    if not arguments.json:
        _print(report)
    return {
        "model": arguments.model,
        **_model(report),
        "workloads": report.jobs,
        **as_data(report, "layers", _data),
    }


def _board_file(name: str | None) -> Path | None:
    if name is None:
        return None
    from clnet.boards import find_board, records_path

    return records_path(find_board(name))


def _model(report: TuningReport) -> dict[str, float | None]:
    if not report.tuned:
        return dict.fromkeys(("untuned_ms", "tuned_ms", "noise_ms", "gain"))
    times = {"untuned_ms": report.untuned, "tuned_ms": report.tuned, "noise_ms": report.noise}
    return {**{name: seconds * 1e3 for name, seconds in times.items()}, "gain": report.gain}


def _data(tuned: Tuned) -> dict[str, Any]:
    return {
        "op": tuned.workload.op.label,
        "shape": list(tuned.workload.output.shape),
        "share": tuned.share,
        "default_us": tuned.default_seconds * 1e6,
        "us": tuned.seconds * 1e6,
    }


def _row(tuned: Tuned) -> tuple[str, ...]:
    data = _data(tuned)
    times = (f"{data[name]:.1f}" for name in ("default_us", "us"))
    return (data["op"], dimensions(data["shape"]), f"{tuned.share:.1%}", *times)


def _print(report: TuningReport) -> None:
    model = "not measured: nothing is left to tune (--force tunes again)"
    if report.tuned:
        model = (
            f"{report.untuned * 1e3:.3f} ms untuned, {report.tuned * 1e3:.3f} ms tuned"
            f" (± {report.noise * 1e3:.3f}): {report.gain:.2f}x as fast"
        )
    fields = {
        "layers": f"{len(report.results)} tuned, {report.already_tuned} already were,"
        f" of {report.jobs} different ones, in {report.seconds:.0f} s",
        "model": model,
    }
    headers = ("layer", "output", "share", "default µs", "best µs")
    print_report(report, headers, "  rrr", _row, fields)
