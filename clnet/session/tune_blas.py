"""tune_blas: finds and remembers the parameters under which CLBlast is fastest on a device."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from clnet.errors import DeviceError, InputError
from clnet.runtime.devices import Device, find_device
from clnet.session.tune import keeper
from clnet.session.tuned import board_records, records
from clnet.tuning import clblast, store
from clnet.tuning.budget import Budget
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.clblast_tuner import tune_clblast
from clnet.tuning.record import TuningRecord
from clnet.tuning.search import LEVELS
from clnet.tuning.tuner import Tuned, Watch


@dataclass
class BlasTuningReport:
    """How the tuning of CLBlast's kernels went; ``seconds`` is what it took."""

    device: str
    results: list[Tuned]
    already_tuned: int
    seconds: float
    notes: list[str] = field(default_factory=list)


def tune_blas(
    device: str | int | Device | None = None,
    *,
    budget: float | Budget = 120,
    level: str = "normal",
    path: Path | None = None,
    force: bool = False,
    watch: Watch = lambda progress: None,
) -> BlasTuningReport:
    """Tune CLBlast's kernels on a device within about ``budget`` seconds.

    The arguments are those of :func:`clnet.session.tune.tune`. What is found holds for this process
    from now on, and for all that find the records. Raises DeviceError, where CLBlast cannot be used
    too, and InputError.
    """
    if level not in LEVELS:
        raise InputError(f"level {level!r} is none of {', '.join(LEVELS)}")
    started = time.perf_counter()
    found, path = find_device(device), path or store.user_records()
    if not found.info.blas:
        raise DeviceError(
            "pyclblast is not installed, or finds no CLBlast: there is no BLAS to tune"
        )
    budget = budget if isinstance(budget, Budget) else Budget(budget)
    known = RecordedChoice(found.info, records(path), board_records())
    kernels = clblast.kernels(found.info)
    todo = [k for k in kernels if force or not clblast.is_tuned(known, *k)]
    notes: list[str] = []
    made: list[TuningRecord] = []
    keep = keeper(path, made, notes)
    results = tune_clblast(found, todo, budget, level, keep, notes.append, known, watch)
    clblast.apply(found, RecordedChoice(found.info, [*records(path), *made], board_records()))
    already, took = len(kernels) - len(todo), time.perf_counter() - started
    return BlasTuningReport(str(found), results, already, took, notes)
