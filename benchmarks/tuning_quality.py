"""How near the tuner's normal level comes to the best there is, and with how few trials.

    python -m benchmarks.tuning_quality [--device DEVICE]

Twelve convolutions and products are tuned at the levels `exhaustive` and, twice, `normal`; the
results are then raced against each other. Printed per workload: points, the normal level's trials,
its speed as a share of the exhaustive one's, and how far its two results are apart.
"""

from __future__ import annotations

import argparse
import statistics

from clnet.calls import Workload
from clnet.ops.conv import Conv
from clnet.ops.gemm import Gemm
from clnet.runtime.devices import find_device
from clnet.tensor_spec import TensorSpec
from clnet.tuning.measure import Measurer
from clnet.tuning.tuner import Job, Tuned, Tuner

#: Channels in and out, size, kernel, stride, groups.
CONVOLUTIONS = (
    (3, 32, 224, 3, 2, 1), (32, 32, 112, 3, 1, 32), (16, 96, 112, 1, 1, 1), (64, 64, 56, 3, 1, 1),
    (128, 128, 28, 3, 1, 1), (256, 256, 14, 3, 1, 1), (144, 24, 56, 1, 1, 1),
    (96, 576, 14, 1, 1, 1), (384, 384, 14, 3, 1, 384),
)  # fmt: skip
PRODUCTS = ((1344, 384, 512), (64, 1000, 512), (197, 768, 768))


def workloads() -> list[tuple[str, Workload]]:
    """The twelve."""
    found = []
    for c, m, size, k, s, groups in CONVOLUTIONS:
        op = Conv((s, s), (k // 2,) * 4, (1, 1), groups)
        x, w = TensorSpec((1, c, size, size)), TensorSpec((m, c // groups, k, k))
        name = f"conv {c}->{m} {k}x{k}/{s} at {size}" + (" depthwise" if groups > 1 else "")
        found.append((name, Workload(op, (x, w), op.infer(x, w), (False, True))))
    for m, n, k in PRODUCTS:
        gemm, a, b = Gemm(), TensorSpec((m, k)), TensorSpec((k, n))
        outputs = gemm.infer(a, b)
        found.append((f"gemm {m}x{n}x{k}", Workload(gemm, (a, b), outputs, (False, True))))
    return found


def main() -> None:
    """Tune, race, print."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--device")
    options = parser.parse_args()
    device = find_device(options.device)
    print(f"{device}\n{'workload':36} {'points':>7} {'trials':>7} {'share':>6} {'again':>6}")
    shares, repeats = [], []
    all_trials = few_trials = 0
    with Measurer(device.index) as measurer:
        for name, workload in workloads():
            job = Job(workload, tuple(workload.candidates(device.info)))

            def tuned(level: str, job: Job = job) -> Tuned:
                return Tuner(device, measurer, level).tune_one(job, float("inf"))

            full, first, second = tuned("exhaustive"), tuned("normal"), tuned("normal")
            points = [full.point, first.point, second.point]
            times = [statistics.median(s) for s in measurer.race(points, 15)]
            shares.append(times[0] / times[1])
            repeats.append(abs(times[1] / times[2] - 1))
            all_trials, few_trials = all_trials + full.trials, few_trials + first.trials
            row = f"{full.trials:7} {first.trials:7} {shares[-1]:6.0%} {repeats[-1]:6.1%}"
            print(f"{name:36} {row}", flush=True)
    medians = f"{statistics.median(shares):6.0%} {statistics.median(repeats):6.1%}"
    print(f"{'sums, medians':36} {all_trials:7} {few_trials:7} {medians}")
    print(f"trials: 1/{all_trials / few_trials:.1f} of all points")


if __name__ == "__main__":
    main()
