"""tune: finds and remembers what is fastest for each layer of a model on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from clnet.errors import InputError
from clnet.graph import Graph
from clnet.runtime.devices import Device, find_device
from clnet.session.compare import compare
from clnet.session.compile import compile_graph, first_candidate, lowered_workloads
from clnet.session.compiled import Compiled
from clnet.session.model_file import model_source, naming
from clnet.session.tuned import board_records, records
from clnet.tuning import clblast, store
from clnet.tuning.budget import Budget
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.measure import Measurer
from clnet.tuning.record import TuningRecord
from clnet.tuning.search import LEVELS
from clnet.tuning.tuner import Tuned, Tuner, Watch, jobs

#: A layer that gains this much is kept where the others' choices make the model no faster.
CLEAR = 1.1


@dataclass
class TuningReport:
    """How the tuning of a model went. Times in seconds; ``untuned`` and ``tuned`` are of a whole
    run, measured in turn, and ``noise`` is the standard error of their difference. Where all layers
    were tuned already nothing is measured, and all three are 0."""

    device: Device
    results: list[Tuned]
    jobs: int
    already_tuned: int
    seconds: float = 0.0
    untuned: float = 0.0
    tuned: float = 0.0
    noise: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def gain(self) -> float:
        """How many times faster the tuned model is."""
        return self.untuned / self.tuned if self.tuned else 1.0


def tune(
    model: str | Path,
    device: str | int | Device | None = None,
    precision: str = "fp32",
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    weights: str | Path | None = None,
    *,
    budget: float | Budget = 120,
    level: str = "normal",
    path: Path | None = None,
    force: bool = False,
    watch: Watch = lambda progress: None,
) -> TuningReport:
    """Tune a model's layers on a device within about ``budget`` seconds.

    ``level`` is "fast", "normal" or "exhaustive". Records are appended to ``path`` (the user's own
    file by default) as they are made, so that whatever ends the tuning, nothing is lost. Layers
    with a record that holds are left alone unless ``force``. ``watch`` hears of every trial; a
    :class:`Budget` can be stopped early. Raises ModelError, DeviceError, InputError.
    """
    source = model_source(model, weights)
    with naming(model):
        report, compiled = tune_graph(
            lambda: source(input_shapes), find_device(device), precision,
            budget=budget, level=level, path=path, force=force, watch=watch,
        )  # fmt: skip
    if compiled is not None:
        compiled.executable.release()
    return report


def tune_graph(
    source: Callable[[], Graph],
    device: Device,
    precision: str,
    *,
    budget: float | Budget,
    level: str,
    path: Path | None,
    force: bool,
    watch: Watch,
) -> tuple[TuningReport, Compiled | None]:
    """As :func:`tune`, for the graph that ``source`` makes anew at every call. Beside the report:
    the model compiled with what was chosen, the caller's to release; None if all was as before."""
    if level not in LEVELS:
        raise InputError(f"level {level!r} is none of {', '.join(LEVELS)}")
    started = perf_counter()
    budget = budget if isinstance(budget, Budget) else Budget(budget)
    path = path or store.user_records()
    lowered = lowered_workloads(source(), device, precision)
    known = RecordedChoice(device.info, records(path), board_records())
    clblast.apply(device, known)
    work = jobs(lowered)
    todo = [j for j in work if force or not known.is_tuned(j.workload, list(j.candidates))]
    report = TuningReport(device, [], len(work), len(work) - len(todo))
    made: list[TuningRecord] = []
    keep = keeper(path, made, report.notes)
    with Measurer(device.index, overrides=clblast.overrides(known), budget=budget) as measurer:
        say = report.notes.append
        tuner = Tuner(device, measurer, level, budget, keep, say, known, watch)
        report.results = tuner.tune(todo)
    budget.check()
    chosen = None
    if report.results:

        def compiled(kept: Sequence[Tuned]) -> tuple[Compiled, bool]:
            undone = [t.default_record for t in report.results if t not in kept]
            own = [*records(path), *made, *(r for r in undone if r)]
            choose = RecordedChoice(device.info, own, board_records())
            return compile_graph(source(), device, precision, choose), choose.changed > 0

        untuned = compile_graph(source(), device, precision, first_candidate)
        chosen = _settle(report, untuned, compiled, keep, budget)
    report.seconds = perf_counter() - started
    return report, chosen


def _settle(
    report: TuningReport,
    untuned: Compiled,
    compiled: Callable[[Sequence[Tuned]], tuple[Compiled, bool]],
    keep: Callable[[TuningRecord], None],
    budget: Budget,
) -> Compiled:
    """Run the whole model with all new choices, with those that gain a lot, and with none of them:
    of those that cost the model nothing the most are kept, unless it is slower than untuned, and
    the others undone. ``compiled`` also tells whether the model differs from the untuned one at
    all: if not, it takes as long."""
    changed = [t for t in report.results if t.gain > 1]
    variants = [changed, [t for t in changed if t.gain >= CLEAR], []]
    variants = [v for i, v in enumerate(variants) if v not in variants[:i]]
    models = [untuned]
    try:
        differs = []
        for variant in variants:
            model, other = compiled(variant)
            models.append(model)
            differs.append(other)
        (report.untuned, *times), report.noise = compare(models, budget)
        times = [t if d else report.untuned for t, d in zip(times, differs, strict=True)]
        most = min(min(times) + report.noise, report.untuned)
        best = next((i for i, s in enumerate(times) if s <= most), len(times) - 1)
        chosen = models.pop(1 + best)
    finally:
        for model in models:
            model.executable.release()
    report.tuned, kept = times[best], variants[best]
    for tuned in changed:
        if tuned not in kept and tuned.default_record:
            keep(tuned.default_record)
    if len(kept) < len(changed):
        report.notes.append(
            f"only {len(kept)} of {len(changed)} layers keep their new choice: with the others,"
            " which are faster alone, the model was not"
        )
    return chosen


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
