"""The part of `clnet tune` that is about CLBlast's kernels: `--blas`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.progress import progress_bar
from clnet.cli.tune_report import as_data, print_report

if TYPE_CHECKING:
    from clnet.session.tune_blas import BlasTuningReport
    from clnet.tuning.budget import Budget
    from clnet.tuning.tuner import Tuned


def run(arguments: argparse.Namespace, budget: Budget, path: Path | None) -> dict[str, Any]:
    """Tune, print, and return what JSON is to say."""
    from clnet.session.tune_blas import tune_blas

    with progress_bar() as watch:
        report = tune_blas(
            arguments.device,
            budget=budget,
            level=arguments.level,
            path=path,
            force=arguments.force,
            watch=watch,
        )
    if not arguments.json:
        _print(report)
    return as_data(report, "kernels", _data)


def _data(tuned: Tuned) -> dict[str, Any]:
    op = tuned.workload.op
    amount, unit = op.amount
    return {
        "kernel": op.kernel,
        "dtype": op.dtype,
        "unit": unit,
        "untuned": amount / tuned.default_seconds,
        "tuned": amount / tuned.seconds,
    }


def _row(tuned: Tuned) -> tuple[str, ...]:
    data = _data(tuned)
    speeds = (f"{data[name]:.1f}" for name in ("untuned", "tuned"))
    return (data["kernel"], data["dtype"], *speeds, data["unit"])


def _print(report: BlasTuningReport) -> None:
    counts = (
        f"{len(report.results)} tuned, {report.already_tuned} already were,"
        f" in {report.seconds:.0f} s"
    )
    headers = ("kernel", "dtype", "untuned", "tuned", "")
    print_report(report, headers, "  rr", _row, {"kernels": counts})
