"""A 3x3 convolution and a matrix product as shares of the device's multiply-add ceiling.

    python -m benchmarks.hot_kernels [--device DEVICE] [--tune]

The ceiling is measured by a kernel of its own that multiplies and adds in registers, in turn with
the problem for several rounds; a round's rates are the best of its samples. Who shares the caches
slows the problem and not the ceiling: the best rate's share tells of the kernel, the median's also
of the neighbours. Each problem is computed as a session would, by its tuning record or its
default; --tune searches first, and keeps nothing. Multiply-adds are the definition's: Winograd's
method needs fewer, so a direct convolution is measured beside it.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace

from benchmarks.layers import layer
from clnet.calls import Candidate, Workload
from clnet.ops.conv import Conv
from clnet.ops.gemm import Gemm
from clnet.runtime.devices import Device, find_device
from clnet.session.ceilings import measure_ceilings
from clnet.session.tuned import tuned_choice
from clnet.tuning.bench import Bench
from clnet.tuning.measure import Measurer
from clnet.tuning.space import Space
from clnet.tuning.tuner import Job, Tuner

SAMPLES = 15
ROUNDS = 9


def problems(device: Device) -> list[tuple[str, Job]]:
    """Names and layers, with the candidates that count."""
    conv = layer(Conv((1, 1), (1, 1, 1, 1), (1, 1)), (1, 64, 56, 56), (64, 64, 3, 3), device)
    direct = tuple(c for c in conv.candidates if "winograd" not in c.name)
    return [
        ("conv 3x3 64->64 at 56x56", conv),
        ("the same without Winograd", replace(conv, candidates=direct)),
        ("gemm 1344x384x512, packed", layer(Gemm(), (1344, 512), (512, 384), device)),
    ]


def rounds(device: Device, workload: Workload, candidate: Candidate) -> list[tuple[float, float]]:
    """Multiply-adds a second in each round: the candidate's, and the ceiling."""
    bench = Bench(device, workload)
    work = workload.op.multiply_adds(workload)
    try:
        executable = bench.prepare(candidate)
        first = bench.check(executable)

        def best() -> float:
            return work / min(bench.sample(executable, first) for _ in range(SAMPLES))

        return [(best(), measure_ceilings(device).multiply_adds) for _ in range(ROUNDS)]
    finally:
        bench.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--device")
    parser.add_argument("--tune", action="store_true")
    options = parser.parse_args()
    device = find_device(options.device)
    print(f"{device}\n{'':28} {'kernel':14} {'ms':>7} {'GFLOP/s':>8} {'ceiling':>8}"
          f" {'share':>6} {'median':>7}")
    for name, job in problems(device):
        workload, offered = job.workload, list(job.candidates)
        if options.tune:
            with Measurer(device.index) as measurer:
                point = Tuner(device, measurer, "normal").tune_one(job, 60).point
            found = Space(offered, device.info).candidate(point)
            assert found is not None
            chosen = found
        else:
            chosen = tuned_choice(device)(workload, offered)
        rates, ceilings = zip(*rounds(device, workload, chosen), strict=True)
        rate, ceiling = max(rates), max(ceilings)
        time = workload.op.multiply_adds(workload) / rate
        median = statistics.median(rates) / statistics.median(ceilings)
        print(f"{name:28} {chosen.name:14} {time * 1e3:7.3f} {rate * 2e-9:8.1f}"
              f" {ceiling * 2e-9:8.1f} {rate / ceiling:6.0%} {median:7.0%}",
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
