"""How well tuning carries over: records made on each OpenCL implementation, run on every other.

    python -m benchmarks.tuning_portability [--budget 120] [--out FOLDER] IMPLEMENTATION ...
        -- MODEL.onnx ...

Implementations are names of scripts/on-opencl (pocl-3.1 pocl-3.0 intel rusticl-25). Each tunes
every model, unless FOLDER has its records already; then every implementation runs every model
untuned and with each one's records, in turn within one process. Printed: untuned and tuned times
with the gain, and the time with others' records over that with its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Tune where needed, measure, print."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--budget", type=int, default=120)
    parser.add_argument("--out", type=Path, default=Path("tuning-portability"))
    parser.add_argument("words", nargs="+")
    cut = sys.argv.index("--")
    options = parser.parse_args(sys.argv[1:cut])
    names, models = options.words, [Path(m).resolve() for m in sys.argv[cut + 1 :]]
    out = options.out.resolve()
    for name in names:
        for model in models:
            tune(name, model, out / name, options.budget)
    files = {name: out / name / "tuning.jsonl" for name in names}
    times = {name: {m.stem: measure(name, m, files) for m in models} for name in names}
    (out / "times.json").write_text(json.dumps(times, indent=1))
    report(names, [m.stem for m in models], times)


def on(name: str, folder: Path, *command: object) -> str:
    """Run Python on an implementation, its caches in a folder of its own; what it prints."""
    done = subprocess.run(
        [ROOT / "scripts/on-opencl", name, sys.executable, "-m", *map(str, command)],
        env={**os.environ, "CLNET_CACHE": str(folder)}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout


def tune(name: str, model: Path, folder: Path, budget: int) -> None:
    """Append records of a model to the implementation's file, once."""
    done = folder / f"{model.stem}.json"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    answer = on(name, folder, "clnet", "tune", model, "--budget", budget, "--json")
    done.write_text(answer[answer.index("{") :])
    result = json.loads(done.read_text())
    if result["tuned_ms"] is None:
        print(f"{name:12} {model.stem:24} was tuned already", flush=True)
        return
    times = f"{result['untuned_ms']:8.2f} ms -> {result['tuned_ms']:8.2f} ms"
    print(f"{name:12} {model.stem:24} {times}"
          f"  {result['gain']:.2f}x", *result["notes"], flush=True)  # fmt: skip


def measure(name: str, model: Path, files: dict[str, Path]) -> dict[str, float]:
    """Milliseconds on one implementation: untuned, and with everyone's records."""
    command = ["benchmarks.tuning_portability_worker", model]
    command += [f"{source}={path}" for source, path in files.items()]
    answer = on(name, files[name].parent, *command)
    found: dict[str, float] = json.loads(answer[answer.index("{") :])
    return found


def report(names: list[str], models: list[str], times: dict[str, Any]) -> None:
    """The tables."""

    def mean(ratios: list[float]) -> float:
        return math.exp(statistics.fmean(map(math.log, ratios)))

    print(f"\n{'ms':12} {'model':24} {'untuned':>9} {'tuned':>9} {'gain':>6}")
    for name in names:
        for model in models:
            own = times[name][model]
            gain = own["untuned"] / own[name]
            print(f"{name:12} {model:24} {own['untuned']:9.2f} {own[name]:9.2f} {gain:5.2f}x")
    print("\ntime with another's records / time with its own, geometric mean over the models")
    print(f"{'run on':12}" + "".join(f"{s:>12}" for s in [*names, "untuned"]))
    for name in names:
        ratios = [
            mean([times[name][m][source] / times[name][m][name] for m in models])
            for source in [*names, "untuned"]
        ]
        print(f"{name:12}" + "".join(f"{r:12.2f}" for r in ratios))
    untuned = mean([times[n][m]["untuned"] / times[n][m][n] for n in names for m in models])
    print(f"untuned over tuned, all: {untuned:.2f}")


if __name__ == "__main__":
    main()
