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
from clnet.session.compile import first_candidate, lowered_workloads
from clnet.session.session import Session
from clnet.session.tuned import records, tuned_choice
from clnet.tuning import clblast, store
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.measure import Measurer
from clnet.tuning.record import TuningRecord
from clnet.tuning.search import LEVELS
from clnet.tuning.tuner import Job, Tuned, Tuner, jobs

#: A layer that gains this much is kept where the others' choices make the model no faster.
CLEAR = 1.1
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
    keep = keeper(path, made, notes)
    results = _run(found, todo, budget, level, keep, known, notes, progress)

    def session(kept: Sequence[Tuned]) -> Session:
        undone = [t.default_record for t in results if t not in kept and t.default_record]
        choose = RecordedChoice(found.info, [*records(path), *made, *undone])
        return Session(source, found, precision, input_shapes, choose)

    untuned = Session(source, found, precision, input_shapes, first_candidate)
    clear = [t for t in results if t.gain >= CLEAR]
    times, noise = compare([untuned, session(results), session(clear), session([])])
    kept, after = _settle(list(zip((results, clear, []), times[1:], strict=True)), noise)
    for tuned in results:
        if tuned not in kept and tuned.default_record and tuned.gain > 1:
            keep(tuned.default_record)
    if len(kept) < len(results):
        notes.append(
            f"only {len(kept)} of {len(results)} layers keep their choice: with the others, which"
            " are faster alone, the model was not"
        )
    return TuningReport(
        str(found), results, len(work), len(work) - len(todo), time.perf_counter() - started,
        times[0], after, noise, notes,
    )  # fmt: skip


def _settle(
    variants: Sequence[tuple[Sequence[Tuned], float]], noise: float
) -> tuple[Sequence[Tuned], float]:
    """Of the choices to keep, with the seconds of a model's run, the most that cost nothing."""
    least = min(seconds for _, seconds in variants)
    return next(v for v in variants if v[1] <= least + noise)


def _run(
    device: Device,
    todo: Sequence[Job],
    budget: float,
    level: str,
    keep: Callable[[TuningRecord], None],
    known: RecordedChoice,
    notes: list[str],
    progress: Callable[[str, float], None],
) -> list[Tuned]:
    done = 0.0

    def step(job: Job, share: float) -> None:
        nonlocal done
        done += share
        progress(job.workload.op.label, done)

    with Measurer(device.index, overrides=clblast.overrides(known)) as measurer:
        tuner = Tuner(device, measurer, level, keep, notes.append, known)
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


def compare(sessions: Sequence[Session]) -> tuple[list[float], float]:
    """Median seconds of a run of each, taken in turn, and the median absolute deviation of the
    last from the first. Closes them."""
    samples: list[list[float]] = [[] for _ in sessions]
    for session in sessions:
        for info in session.inputs:
            with session.map_input(info.name) as view:
                view[...] = 0 if view.dtype.kind != "f" else np.float32(0.5)
        seconds_per_run(session, 1)
    count = max(1, round(ROUND_SECONDS / min(seconds_per_run(s, 2) for s in sessions)))
    for _ in range(ROUNDS):
        for session, mine in zip(sessions, samples, strict=True):
            mine.append(seconds_per_run(session, count))
    for session in sessions:
        session.close()
    gaps = [b - a for a, b in zip(samples[0], samples[-1], strict=True)]
    middle = statistics.median(gaps)
    noise = statistics.median(abs(g - middle) for g in gaps)
    return [statistics.median(s) for s in samples], noise


def seconds_per_run(session: Session, count: int) -> float:
    """Seconds per run over ``count`` runs, each waited for."""
    started = time.perf_counter()
    for _ in range(count):
        session.execute()
        for info in session.outputs:
            with session.map_output(info.name):
                pass
    return (time.perf_counter() - started) / count
