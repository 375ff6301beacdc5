"""What `clnet tune` tells of a tuning, of a model's layers or of CLBlast's kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from clnet.cli.output import print_fields, print_table

if TYPE_CHECKING:
    from clnet.session.tune import TuningReport
    from clnet.session.tune_blas import BlasTuningReport
    from clnet.tuning.tuner import Tuned

    Report = TuningReport | BlasTuningReport


def as_data(report: Report, kind: str, own: Callable[[Tuned], dict[str, Any]]) -> dict[str, Any]:
    """The report for JSON; ``own`` gives what is told of each of its ``kind`` beside the rest."""
    return {
        "device": str(report.device),
        "seconds": report.seconds,
        "already_tuned": report.already_tuned,
        "notes": report.notes,
        kind: [
            {
                **own(tuned),
                "choice": str(tuned.point),
                "trials": tuned.trials,
                "failures": {str(p): reason for p, reason in tuned.failures.items()},
            }
            for tuned in report.results
        ],
    }


def print_report(
    report: Report,
    headers: Sequence[str],
    right: str,
    own: Callable[[Tuned], Sequence[str]],
    fields: dict[str, str],
) -> None:
    """A table whose first columns are ``own``, what failed, notes, and ``fields``."""
    if report.results:
        rows = [(*own(tuned), *_columns(tuned)) for tuned in report.results]
        headers = (*headers, "gain", "tried", "failed", "choice")
        print_table(headers, rows, right=f"{right:{len(headers) - 4}}rrr")
        print()
    for tuned in report.results:
        for point, reason in tuned.failures.items():
            print(f"failed: {own(tuned)[0]} {point}: {reason}")
    for note in report.notes:
        print(f"note: {note}")
    print_fields({"device": report.device, **fields})


def _columns(tuned: Tuned) -> tuple[str, ...]:
    return (
        f"{tuned.gain:.2f}",
        str(tuned.trials),
        str(len(tuned.failures)),
        str(tuned.point),
    )
