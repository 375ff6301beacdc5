"""profile: where a model's time goes, layer by layer, against what the device can do at most."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clnet.calls import BlasCall, Call, KernelCall
from clnet.runtime.profiling import Profiler, Span
from clnet.session.ceilings import Ceilings, measure_ceilings
from clnet.session.lowered import Layer
from clnet.session.session import Session

#: Seconds of measuring where the number of runs is not given.
_SECONDS = 2.0
_FEWEST = 5


@dataclass(frozen=True)
class Rates:
    """Work done in some time. Algorithms that need fewer multiply-adds than the definition, as
    Winograd's, and tensors that stay in a cache can be beyond the ceilings."""

    seconds: float
    multiply_adds: int
    nbytes: int

    @property
    def gflops(self) -> float:
        """Billions of floating-point operations per second; a multiply-add is two."""
        return 2e-9 * self.multiply_adds / self.seconds if self.seconds else 0.0

    @property
    def gigabytes(self) -> float:
        """Billions of bytes moved per second."""
        return 1e-9 * self.nbytes / self.seconds if self.seconds else 0.0

    def of_roof(self, ceilings: Ceilings) -> float:
        """The least time that the ceilings allow, as a share of the time taken."""
        least = max(self.multiply_adds / ceilings.multiply_adds, self.nbytes / ceilings.bandwidth)
        return least / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class LayerProfile:
    """A layer's launches and their time, the median of all runs."""

    layer: Layer
    launches: int
    rates: Rates


@dataclass(frozen=True)
class Launch:
    """One call in the timeline."""

    layer: Layer
    kernel: str
    span: Span


@dataclass(frozen=True)
class Profile:
    """What :func:`profile` found. Times in seconds."""

    device: str
    precision: str
    runs: int
    ceilings: Ceilings
    latency: float  #: median of runs without profiling, from the first launch to the end
    layers: list[LayerProfile]  #: in the order of their first launch
    timeline: list[Launch]  #: of the run whose length is the median

    @property
    def busy(self) -> float:
        """The sum of all layers' times."""
        return sum(layer.rates.seconds for layer in self.layers)

    @property
    def gaps(self) -> list[float]:
        """Idle time between launches of the timeline."""
        pairs = zip(self.timeline, self.timeline[1:], strict=False)
        return [max(0.0, b.span.start - a.span.end) for a, b in pairs]

    def kinds(self) -> list[tuple[str, int, Rates]]:
        """Kinds of layers with their number and sums, the one that takes most first."""
        names = dict.fromkeys(layer.layer.kind for layer in self.layers)
        groups = [[x for x in self.layers if x.layer.kind == name] for name in names]
        found = [(g[0].layer.kind, len(g), total(x.rates for x in g)) for g in groups]
        return sorted(found, key=lambda kind: -kind[2].seconds)


def total(rates: Iterable[Rates]) -> Rates:
    """The sum of several."""
    listed = list(rates)
    return Rates(
        sum(r.seconds for r in listed),
        sum(r.multiply_adds for r in listed),
        sum(r.nbytes for r in listed),
    )


def profile(session: Session, runs: int | None = None) -> Profile:
    """Profile a session on what its inputs hold: ``runs`` as it is (default: as many as a second
    holds), as many with the driver's profiling and every launch on its own, then the device's
    ceilings. Raises DeviceError where the driver keeps no times."""
    joined = session.compiled.executable

    def wall() -> float:
        started = time.perf_counter()
        joined.run()
        joined.queue.finish()
        return time.perf_counter() - started

    wall()
    count = runs or max(_FEWEST, round(_SECONDS / 2 / max(wall(), 1e-4)))
    latency = statistics.median(wall() for _ in range(count))
    compiled = session.apart()
    executable = compiled.executable
    try:
        profiler = Profiler(executable)
        profiler.run()
        measured = [profiler.run() for _ in range(count)]
    finally:
        executable.release()
    layers = _layers(compiled.layers, measured)
    median = sorted(measured, key=lambda spans: spans[-1].end if spans else 0.0)[count // 2]
    calls = [_kernel(bound.call) for bound in executable.calls]
    timeline = [Launch(*row) for row in zip(compiled.layers, calls, median, strict=True)]
    ceilings = measure_ceilings(session.device, session.precision)
    return Profile(
        str(session.device), session.precision, count, ceilings, latency, layers, timeline
    )


def _layers(of_call: Sequence[Layer], runs: Sequence[Sequence[Span]]) -> list[LayerProfile]:
    """Median times, summed by layer."""
    seconds = [statistics.median(spans[i].seconds for spans in runs) for i in range(len(of_call))]
    rows: dict[int, list[int]] = {}
    for i, layer in enumerate(of_call):
        rows.setdefault(id(layer), []).append(i)
    found = []
    for calls in rows.values():
        layer = of_call[calls[0]]
        rates = Rates(sum(seconds[i] for i in calls), layer.multiply_adds, layer.nbytes)
        found.append(LayerProfile(layer, len(calls), rates))
    return found


def _kernel(call: Call) -> str:
    if isinstance(call, KernelCall):
        return call.kernel
    return f"CLBlast {call.routine}" if isinstance(call, BlasCall) else "host"
