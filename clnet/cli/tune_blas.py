"""The part of `clnet tune` that is about CLBlast's kernels: `--blas`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.output import print_fields, print_table
from clnet.cli.progress import progress_bar

if TYPE_CHECKING:
    from clnet.session.tune_blas import BlasTuningReport
    from clnet.tuning.tuner import Tuned


def run(arguments: argparse.Namespace, path: Path | None) -> dict[str, Any]:
    """Tune, print, and return what JSON is to say."""
    from clnet.session.tune_blas import tune_blas

    with progress_bar("CLBlast's kernels") as progress:
        report = tune_blas(
            arguments.device,
            budget=arguments.budget,
            level=arguments.level,
            path=path,
            force=arguments.force,
            progress=progress,
        )
    if not arguments.json:
        _print(report)
    return _result(report)


def _result(report: BlasTuningReport) -> dict[str, Any]:
    return {
        "device": report.device,
        "seconds": report.seconds,
        "already_tuned": report.already_tuned,
        "notes": report.notes,
        "kernels": [
            {
                "kernel": t.workload.op.kernel,
                "dtype": t.workload.op.dtype,
                "unit": t.workload.op.amount[1],
                "untuned": t.workload.op.amount[0] / t.default_seconds,
                "tuned": t.workload.op.amount[0] / t.seconds,
                "choice": str(t.point),
                "trials": t.trials,
                "failures": {str(p): reason for p, reason in t.failures.items()},
            }
            for t in report.results
        ],
    }


def _print(report: BlasTuningReport) -> None:
    if report.results:
        headers = ("kernel", "dtype", "untuned", "tuned", "", "gain", "tried", "failed", "choice")
        print_table(headers, [_row(t) for t in report.results], right="  rr rrr")
        print()
    for tuned in report.results:
        for point, reason in tuned.failures.items():
            print(f"failed: {tuned.workload.op.kernel} {point}: {reason}")
    for note in report.notes:
        print(f"note: {note}")
    print_fields(
        {
            "device": report.device,
            "kernels": f"{len(report.results)} tuned, {report.already_tuned} already were,"
            f" in {report.seconds:.0f} s",
        }
    )


def _row(tuned: Tuned) -> tuple[str, ...]:
    op = tuned.workload.op
    amount, unit = op.amount
    return (
        op.kernel,
        op.dtype,
        f"{amount / tuned.default_seconds:.1f}",
        f"{amount / tuned.seconds:.1f}",
        unit,
        f"{tuned.default_seconds / tuned.seconds:.2f}",
        str(tuned.trials),
        str(len(tuned.failures)),
        str(tuned.point),
    )
