"""tune: finds and remembers what is fastest for each layer of a model on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clnet.errors import InputError
from clnet.graph import Graph
from clnet.importers import read_model
from clnet.runtime.devices import Device, find_device
from clnet.session.compile import Chooser, first_candidate, lowered_workloads
from clnet.session.session import Session
from clnet.session.tuned import records, tuned_choice
from clnet.tuning import clblast, store
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.measure import Measurer
from clnet.tuning.record import TuningRecord
from clnet.tuning.search import LEVELS
from clnet.tuning.tuner import Job, Tuned, Tuner, jobs

#: Rounds in which the tuned and the untuned model are compared, and seconds of a round's half.
ROUNDS, ROUND_SECONDS = 9, 0.2


@dataclass
class TuningReport:
    """How the tuning of a model went. Times in seconds; ``untuned`` and ``tuned`` are of a whole
    run, measured in turn, and ``noise`` is the median absolute deviation of their difference."""

    device: str
    results: list[Tuned]
    jobs: int
    already_tuned: int
    seconds: float
    untuned: float
    tuned: float
    noise: float
    notes: list[str] = field(default_factory=list)

    @property
    def gain(self) -> float:
        """How many times faster the tuned model is."""
        return self.untuned / self.tuned


def tune(
    model: str | Path,
    device: str | int | Device | None = None,
    precision: str = "fp32",
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    weights: str | Path | None = None,
    *,
    budget: float = 120,
    level: str = "normal",
    path: Path | None = None,
    force: bool = False,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> TuningReport:
    """Tune a model's layers on a device within about ``budget`` seconds.

    ``level`` is "fast", "normal" or "exhaustive". Records are appended to ``path`` (the user's own
    file by default) as they are made, so that whatever ends the tuning, nothing is lost. Layers
    with a record that holds are left alone unless ``force``. ``progress`` hears what is being
    tuned, and the share of the model's time that is done. Raises ModelError, DeviceError,
    InputError.
    """
    if level not in LEVELS:
        raise InputError(f"level {level!r} is none of {', '.join(LEVELS)}")
    started = time.perf_counter()
    found, file = find_device(device), Path(model)
    path = path or store.user_records()

    def source(shapes: Mapping[str, Sequence[int]] | None) -> Graph:
        return read_model(file, shapes, Path(weights) if weights is not None else None)

    lowered = lowered_workloads(source(input_shapes), found, precision)
    known = RecordedChoice(found.info, records(path)) if path.exists() else tuned_choice(found)
    clblast.apply(found, known)
    work = jobs(lowered)
    todo = [j for j in work if force or not known.recorded(j.workload, list(j.candidates))]
    notes: list[str] = []
    made: list[TuningRecord] = []
    results = _run(found, todo, budget, level, path, known, notes, made, progress)

    def session(choose: Chooser) -> Session:
        return Session(source, found, precision, input_shapes, choose)

    tuned = RecordedChoice(found.info, [*records(path), *made])
    before, after, noise = compare(session(first_candidate), session(tuned))
    if before - after < -noise:
        notes.append(
            "the layers are faster one by one, but not the model: caches are shared there;"
            " try again on an idle machine"
        )
    return TuningReport(
        str(found), results, len(work), len(work) - len(todo), time.perf_counter() - started,
        before, after, noise, notes,
    )  # fmt: skip


def _run(
    device: Device,
    todo: Sequence[Job],
    budget: float,
    level: str,
    path: Path,
    known: RecordedChoice,
    notes: list[str],
    made: list[TuningRecord],
    progress: Callable[[str, float], None],
) -> list[Tuned]:
    done = 0.0

    def step(job: Job, share: float) -> None:
        nonlocal done
        done += share
        progress(job.workload.op.label, done)

    with Measurer(device.index, overrides=clblast.overrides(known)) as measurer:
        tuner = Tuner(device, measurer, level, keeper(path, made, notes), notes.append, known)
        return tuner.tune(todo, budget, step)


def keeper(
    path: Path, made: list[TuningRecord], notes: list[str]
) -> Callable[[TuningRecord], None]:
    """Adds records to a file and to ``made``; where the file cannot be written, a note says so."""

    def keep(record: TuningRecord) -> None:
        made.append(record)
        try:
            store.append(path, record)
        except OSError as error:
            note = f"records cannot be kept: {error}"
            if note not in notes:
                notes.append(note)

    return keep


def compare(first: Session, second: Session) -> tuple[float, float, float]:
    """Median seconds of a run of each, taken in turn, and the spread of their difference. Closes
    both."""
    with first, second:
        times: tuple[list[float], list[float]] = ([], [])
        for session in (first, second):
            for info in session.inputs:
                with session.map_input(info.name) as view:
                    view[...] = 0 if view.dtype.kind != "f" else np.float32(0.5)
            seconds_per_run(session, 1)
        once = min(seconds_per_run(s, 2) for s in (first, second))
        count = max(1, round(ROUND_SECONDS / once))
        for _ in range(ROUNDS):
            for session, mine in zip((first, second), times, strict=True):
                mine.append(seconds_per_run(session, count))
    gaps = [b - a for a, b in zip(*times, strict=True)]
    middle = statistics.median(gaps)
    noise = statistics.median(abs(g - middle) for g in gaps)
    return statistics.median(times[0]), statistics.median(times[1]), noise


def seconds_per_run(session: Session, count: int) -> float:
    """Seconds per run over ``count`` runs, each waited for."""
    started = time.perf_counter()
    for _ in range(count):
        session.execute()
        for info in session.outputs:
            with session.map_output(info.name):
                pass
    return (time.perf_counter() - started) / count
