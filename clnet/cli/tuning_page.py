"""`clnet tune --report`: what a tuning found, as one HTML page that needs nothing else."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path

from clnet import __version__
from clnet.calls import Candidate, KernelCall
from clnet.cli.output import amount
from clnet.errors import InputError
from clnet.session.tune import TuningReport
from clnet.tuning.space import Point, Space
from clnet.tuning.tuner import Tuned

#: What is so many times slower than a layer's best is as pale as can be.
PALE = 3.0
DRIVERS_CHOICE = "driver's"

STYLE = """
:root { color-scheme: light; --ink: #1c2430; --soft: #5c6672; --line: #d8dde3; --old: #b9c3cf;
        --new: #1f5fa8; }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--ink); margin: 2rem auto;
       max-width: 1200px; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem }
p { margin: .3rem 0; max-width: 75ch; } .soft { color: var(--soft) }
.scroll { overflow-x: auto } .big { font-size: 1.3rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap }
th, td { padding: .22rem .6rem; border-bottom: 1px solid var(--line); vertical-align: middle }
td.n, th.n { text-align: right } td.w { white-space: nowrap }
.heat td.c, .heat th.c { text-align: center; border: 2px solid #fff; min-width: 2.6rem }
.heat td.none { background: #f3f5f7 } .heat td.default { outline: 2px dotted var(--ink);
       outline-offset: -4px } .heat td.kept { outline: 2px solid var(--ink); outline-offset: -4px }
.bar { display: block; height: .5rem; margin: .12rem 0; min-width: 1px; border-radius: 1px }
.old { background: var(--old) } .new { background: var(--new) }
"""


def write_page(path: Path, model: str, report: TuningReport) -> None:
    """Write the page. Raises InputError where that is not possible."""
    try:
        path.write_text(page(model, report), encoding="utf-8")
    except OSError as error:
        raise InputError(f"the report cannot be written: {error}") from None


def page(model: str, report: TuningReport) -> str:
    """The page as text."""
    title = f"{Path(model).name} on {report.device.info.name}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">tuned by clnet {__version__} on {datetime.date.today()},'
        f" in {report.seconds:.0f} s</p>",
        *_summary(report),
        *_layers(report.results),
        *_heat(
            "Work-group sizes",
            "of the launch with the most work-items, along its dimensions.",
            report,
            lambda point, candidate: work_group(candidate),
            _group_order,
        ),
        *_heat(
            "Algorithms",
            "as `clnet` names them.",
            report,
            lambda point, candidate: point.candidate,
            lambda name: name,
        ),
        *_failures(report.results),
        *_device(report),
        "</body></html>",
    ]
    return "\n".join(parts)


def _summary(report: TuningReport) -> Iterable[str]:
    if report.tuned:
        yield (
            f'<p class="big">{report.untuned * 1e3:.3f} ms untuned, <b>{report.tuned * 1e3:.3f} ms'
            f"</b> tuned: <b>{report.gain:.2f}x</b> as fast</p>"
            f'<p class="soft">medians of whole runs, taken in turn; noise ±'
            f" {report.noise * 1e3:.3f} ms</p>"
        )
    yield (
        f"<p>{len(report.results)} of {report.jobs} different layers were tuned,"
        f" {report.already_tuned} had been before.</p>"
    )
    yield from (f"<p>Note: {escape(note)}.</p>" for note in report.notes)


def _layers(results: Sequence[Tuned]) -> Iterable[str]:
    if not results:
        return
    longest = max(max(t.default_seconds, t.seconds) for t in results)

    def bar(kind: str, seconds: float) -> str:
        return f'<span class="bar {kind}" style="width:{200 * seconds / longest:.1f}px"></span>'

    yield "<h2>Time of each layer, before and after</h2>"
    yield (
        '<p class="soft">Of one run of the layer by itself; above the default, below what was'
        " chosen. Share: of the untuned model's time, over all layers alike.</p>"
    )
    numbers = ("share", "default µs", "best µs", "gain", "trials", "failures")
    head = "".join(f'<th class="n">{n}</th>' for n in numbers)
    yield f'<div class="scroll"><table><tr><th>layer</th><th></th>{head}<th>choice</th></tr>'
    for t in results:
        cells = (
            f"{t.share:.1%}", f"{t.default_seconds * 1e6:.1f}", f"{t.seconds * 1e6:.1f}",
            f"{t.gain:.2f}", t.trials, len(t.failures),
        )  # fmt: skip
        yield (
            f'<tr><td class="w">{_label(t)}</td><td>{bar("old", t.default_seconds)}'
            f"{bar('new', t.seconds)}</td>"
            + "".join(f'<td class="n">{c}</td>' for c in cells)
            + f"<td>{escape(str(t.point))}</td></tr>"
        )
    yield "</table></div>"


def _heat(
    title: str,
    about: str,
    report: TuningReport,
    column_of: Callable[[Point, Candidate], str],
    order: Callable[[str], object],
) -> Iterable[str]:
    """A heat map: the best time that each layer reached under each column, over its best of all."""
    rows = [(t, _best(t, report, column_of)) for t in report.results]
    columns = sorted({c for _, best in rows for c in best}, key=order)  # type: ignore[arg-type]
    if not columns:
        return
    yield f"<h2>{title}</h2>"
    yield (
        f'<p class="soft">Columns: {title.lower()}, {about} Numbers: the best time that was'
        " measured so, over the layer's best of all; the darker, the better. Framed: what was"
        " chosen (dots: the default). Grey: not tried.</p>"
    )
    head = "".join(f'<th class="c">{escape(c)}</th>' for c in columns)
    yield f'<div class="scroll"><table class="heat"><tr><th>layer</th>{head}</tr>'
    for t, best in rows:
        least = min(seconds for seconds, _ in best.values())
        cells = []
        for column in columns:
            if column not in best:
                cells.append('<td class="c none"></td>')
                continue
            seconds, points = best[column]
            mark = " kept" if t.point in points else ""
            mark = mark or (" default" if next(iter(t.times)) in points else "")
            cells.append(_cell(seconds / least, f"{points[0]}: {seconds * 1e6:.1f} µs", mark))
        yield f'<tr><td class="w">{_label(t)}</td>{"".join(cells)}</tr>'
    yield "</table></div>"


def _best(
    tuned: Tuned, report: TuningReport, column_of: Callable[[Point, Candidate], str]
) -> dict[str, tuple[float, list[Point]]]:
    """Per column the least seconds, and its points, the fastest first."""
    info = report.device.info
    space = Space(tuned.workload.candidates(info), info)
    found: dict[str, tuple[float, list[Point]]] = {}
    for point, seconds in sorted(tuned.times.items(), key=lambda item: item[1]):
        candidate = space.candidate(point)
        if candidate is not None:
            found.setdefault(column_of(point, candidate), (seconds, []))[1].append(point)
    return found


def work_group(candidate: Candidate) -> str:
    """The work-group size of the launch with the most work-items: "8x4"."""
    calls = [c for c in candidate.calls if isinstance(c, KernelCall)]
    if not calls:
        return "CLBlast's"
    sizes = max(calls, key=lambda c: math.prod(c.global_size)).local_size
    if sizes is None:
        return DRIVERS_CHOICE
    while len(sizes) > 1 and sizes[-1] == 1:
        sizes = sizes[:-1]
    return "x".join(map(str, sizes))


def _group_order(size: str) -> tuple[float, ...]:
    if not size[0].isdigit():
        return (-1.0,)
    sizes = [float(n) for n in size.split("x")]
    return (math.prod(sizes), *sizes)


def _cell(ratio: float, hint: str, mark: str) -> str:
    strength = max(0.0, 1 - math.log(max(ratio, 1.0)) / math.log(PALE))
    red, green, blue = (round(245 + (c - 245) * strength) for c in (31, 95, 168))
    ink = "#fff" if strength > 0.5 else "#1c2430"
    return (
        f'<td class="c{mark}" title="{escape(hint)}"'
        f' style="background:rgb({red},{green},{blue});color:{ink}">{ratio:.2f}</td>'
    )


def _label(tuned: Tuned) -> str:
    workload = tuned.workload
    shapes = ["x".join(map(str, s.shape)) for s in (*workload.inputs, workload.output) if s]
    hint = escape(f"{', '.join(shapes[:-1])} → {shapes[-1]}; {workload.op}")
    return f'<span title="{hint}">{escape(workload.op.label)} {shapes[-1]}</span>'


def _failures(results: Sequence[Tuned]) -> Iterable[str]:
    yield "<h2>Failures</h2>"
    failures = [(t, *failure) for t in results for failure in t.failures.items()]
    if not failures:
        yield "<p>None: whatever was tried was built, ran, and was right.</p>"
        return
    yield "<p class=soft>They happened in a child process, and cost nothing but their time.</p>"
    yield '<div class="scroll"><table><tr><th>layer</th><th>point</th><th>reason</th></tr>'
    for tuned, point, reason in failures:
        yield (
            f'<tr><td class="w">{_label(tuned)}</td><td>{escape(str(point))}</td>'
            f"<td>{escape(reason)}</td></tr>"
        )
    yield "</table></div>"


def _device(report: TuningReport) -> Iterable[str]:
    info = report.device.info
    facts = {
        "name": info.name, "vendor": info.vendor, "platform": info.platform, "driver": info.driver,
        "kind": info.kind, "compute units": info.compute_units,
        "largest work-group": info.max_work_group_size,
        "local memory": amount(info.local_memory), "memory": amount(info.global_memory),
        "vector": f"{info.vector_width} floats", "multiply-add": info.multiply_add,
        "computes in half": "yes" if info.fp16 else "no",
        "host and device share memory": report.device.memory_policy.value,
    }  # fmt: skip
    yield "<h2>Device</h2><table>"
    yield from (f"<tr><th>{k}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items())
    yield "</table>"
