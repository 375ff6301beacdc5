"""How near the tuner's normal level comes to the best there is, and with how few trials.

    python -m benchmarks.tuning_quality [--device DEVICE] [--out FOLDER] [--build] [WORD ...]

Twelve convolutions and products are tuned at the levels `exhaustive` and, twice, `normal`; the
results are then raced against each other. Printed per workload: points, the normal level's trials,
its speed as a share of the exhaustive one's, and how far its two results are apart.

That takes hours where kernels build slowly. FOLDER keeps every row that is done, WORDs choose
workloads by parts of their names, and --build only builds their kernels, on all cores, so that what
follows needs the machine to itself for a few minutes per workload.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.layers import layer
from clnet.calls import KernelCall
from clnet.ops.conv import Conv
from clnet.ops.gemm import Gemm
from clnet.runtime.build_worker import start_worker
from clnet.runtime.devices import Device, find_device
from clnet.runtime.programs import program_cache
from clnet.tuning.measure import Measurer
from clnet.tuning.space import Space
from clnet.tuning.tuner import Job, Tuned, Tuner

#: Channels in and out, size, kernel, stride, groups.
CONVOLUTIONS = (
    (3, 32, 224, 3, 2, 1), (32, 32, 112, 3, 1, 32), (16, 96, 112, 1, 1, 1), (64, 64, 56, 3, 1, 1),
    (128, 128, 28, 3, 1, 1), (256, 256, 14, 3, 1, 1), (144, 24, 56, 1, 1, 1),
    (96, 576, 14, 1, 1, 1), (384, 384, 14, 3, 1, 384),
)  # fmt: skip
PRODUCTS = ((1344, 384, 512), (64, 1000, 512), (197, 768, 768))
#: Kernels that one process builds: PoCL's memory grows with each.
BATCH = 100
#: Rounds in which the results are compared.
RACE = 201


def jobs(device: Device) -> Iterator[tuple[str, Job]]:
    """The twelve, as models that are nothing else have them on this device."""
    for c, m, size, k, s, groups in CONVOLUTIONS:
        op = Conv((s, s), (k // 2,) * 4, (1, 1), groups)
        name = f"conv {c}->{m} {k}x{k}/{s} at {size}" + (" depthwise" if groups > 1 else "")
        yield name, layer(op, (1, c, size, size), (m, c // groups, k, k), device)
    for m, n, k in PRODUCTS:
        yield f"gemm {m}x{n}x{k}", layer(Gemm(), (m, k), (k, n), device)


def build(device: Device, job: Job) -> None:
    """Build the kernels of every point, several at a time."""
    space, cache = Space(job.candidates, device.info), program_cache(device)
    calls = {}
    for point in space.points():
        candidate = space.candidate(point)
        assert candidate is not None
        kernels = (cache.fit(c) for c in candidate.calls if isinstance(c, KernelCall))
        calls.update({(c.source, c.defines): c for c in kernels})
    todo = list(calls.values())
    batches = [todo[i : i + BATCH] for i in range(0, len(todo), BATCH)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda batch: start_worker(device.index, batch).wait(), batches))
    print(f"{len(todo)} kernels built", flush=True)


def measure(device: Device, job: Job) -> dict[str, float]:
    """Tune three times, and race what came out."""
    with Measurer(device.index) as measurer:

        def tuned(level: str) -> Tuned:
            return Tuner(device, measurer, level).tune_one(job)

        full, first, second = tuned("exhaustive"), tuned("normal"), tuned("normal")
        points = list({full.point, first.point, second.point})
        samples = dict(zip(points, measurer.race(points, RACE), strict=True))
    best, one, two = (samples[t.point] for t in (full, first, second))

    def ratio(a: list[float], b: list[float]) -> float:
        return statistics.median(x / y for x, y in zip(a, b, strict=True))

    return {
        "points": full.trials,
        "trials": first.trials,
        "share": ratio(best, one),
        "again": abs(ratio(one, two) - 1),
    }


def report(rows: Sequence[tuple[str, dict[str, float]]]) -> None:
    """The table."""
    print(f"{'workload':36} {'points':>7} {'trials':>7} {'share':>6} {'again':>6}")
    for name, row in rows:
        print(f"{name:36} {row['points']:7.0f} {row['trials']:7.0f} {row['share']:6.0%}"
              f" {row['again']:6.1%}")  # fmt: skip
    points, trials = (sum(row[k] for _, row in rows) for k in ("points", "trials"))
    share, again = (statistics.median(row[k] for _, row in rows) for k in ("share", "again"))
    print(f"{'sums, medians':36} {points:7.0f} {trials:7.0f} {share:6.0%} {again:6.1%}")
    print(f"{len(rows)} workloads; trials: 1/{points / trials:.1f} of all points")


def main() -> None:
    """Build or measure what is not done yet; print."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--device")
    parser.add_argument("--out", type=Path, default=Path("tuning-quality"))
    parser.add_argument("--build", action="store_true")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    device = find_device(options.device)
    print(device)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, job in jobs(device):
        file = options.out / f"{name.replace('/', ' by ')}.json"
        wanted = not options.words or any(w in name for w in options.words)
        if wanted and not file.exists():
            if options.build:
                print(name, end=": ", flush=True)
                build(device, job)
                continue
            file.write_text(json.dumps(measure(device, job)))
        if file.exists():
            rows.append((name, json.loads(file.read_text())))
    if rows:
        report(rows)


if __name__ == "__main__":
    main()
