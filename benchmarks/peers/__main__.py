"""clnet beside every other runtime that is installed, on the same models, in one run.

    python -m benchmarks.peers [--models NAME …] [--peers NAME …] [--peers-python PYTHON]

Each runtime has a process of its own; they take turns, round by round, while the others wait.
Latency is from inputs in the runtime's memory to outputs that the host can read, batch and
precision as in the model, float32. `ratio` is to the fastest of ONNX Runtime, OpenVINO and MNN, the
median over all rounds of the ratio of the round's medians (clnet's below 1: clnet is faster),
`differs` the largest difference to clnet's outputs, relative to the largest magnitude, `peak` the
process's memory above Python with NumPy, compilers and converted models included. Peers come with
`pip install 'clnet[peers]'`, here or for another interpreter.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import clnet
from benchmarks.peers import model_files
from benchmarks.peers.match import RIVALS, Result, Settings, best_rival, play
from benchmarks.peers.runtimes import RUNTIMES
from clnet.cli.arguments import positive
from clnet.cli.output import amount, print_json, print_table, working

DEFAULT_MODELS = ("mobilenet_v2", "squeezenet1.1", "resnet18", "unet64", "ultraface", "lenet@64")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", default=DEFAULT_MODELS,
        help=f"of {', '.join(model_files.known())}, or `all`, or ONNX files (default:"
        f" {', '.join(DEFAULT_MODELS)})",
    )  # fmt: skip
    parser.add_argument("--peers", nargs="*", metavar="NAME", default=list(RUNTIMES)[1:],
                        choices=list(RUNTIMES)[1:], help=f"of {', '.join(list(RUNTIMES)[1:])}"
                        " (default: all)")  # fmt: skip
    parser.add_argument("--peers-python", metavar="PYTHON", default=sys.executable,
                        help="interpreter that has the peers (default: this one)")  # fmt: skip
    parser.add_argument("--rounds", type=positive, default=20, help="turns of each (default: 20)")
    parser.add_argument("--seconds", type=float, default=0.2, help="per turn (default: 0.2)")
    parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1,
                        help="of each runtime (default: one per core)")  # fmt: skip
    parser.add_argument("--device", help="clnet's device, as everywhere")
    parser.add_argument("--tune", type=float, metavar="SECONDS",
                        help="tune clnet for each model first, at most this long")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser.parse_args()


def main() -> int:
    """Measure, print, return the exit status: 1 where clnet failed."""
    options = arguments()
    settings = Settings(
        options.peers_python, options.threads, options.rounds, options.seconds, options.device
    )
    os.environ["POCL_MAX_PTHREAD_COUNT"] = str(options.threads)
    names = model_files.known() if options.models == ["all"] else options.models
    played: dict[str, list[Result]] = {}
    for name in names:
        with TemporaryDirectory() as text:
            folder = Path(text)
            try:
                model_files.prepare(name, folder)
            except (OSError, ValueError) as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            if options.tune:
                clnet.tune(folder / "model.onnx", device=options.device, budget=options.tune)
            with working(name):
                played[name] = play(["clnet", *options.peers], folder, settings)
        if not options.json:
            print_match(name, played[name])
    if options.json:
        print_json({
            name: [as_data(r, best_rival(results)) for r in results]
            for name, results in played.items()
        })  # fmt: skip
    else:
        print_summary(played)
    return int(any(results[0].fault for results in played.values()))


def as_data(result: Result, rival: Result | None) -> dict[str, Any]:
    """A result for programs: medians, minima and the ratio to the rival instead of every run."""
    data = asdict(result)
    turns = data.pop("turns")
    if turns and not result.fault:
        runs = len(result.latencies)
        data |= {"median_ms": result.median, "min_ms": result.minimum, "runs": runs}
        if rival:
            data["ratio"] = result.ratio(rival)
    return data


def print_match(name: str, results: list[Result]) -> None:
    """One model's table."""
    best = best_rival(results)
    rows: list[tuple[object, ...]] = []
    for r in results:
        if r.fault:
            rows.append((r.runtime, "", "", "", "", "", "", r.fault))
            continue
        differs = "" if r.difference is None else f"{r.difference:.0e}"
        ratio = f"{r.ratio(best):.2f}" if best else ""
        rows.append((r.runtime, f"{r.median:.3f}", f"{r.minimum:.3f}", ratio, differs,
                     amount(r.peak_bytes), f"{r.load_seconds:.2f}",
                     " ".join((r.version, r.remark))))  # fmt: skip
    headers = (name, "median ms", "minimum", "ratio", "differs", "peak", "load s", "")
    print_table(headers, rows, right=" rrrrrr")
    print(flush=True)


def print_summary(played: dict[str, list[Result]]) -> None:
    """All models: medians, and clnet over the best rival."""
    if not played:
        return
    runtimes = [r.runtime for r in next(iter(played.values()))]
    rows = []
    for name, results in played.items():
        medians = ["" if r.fault else f"{r.median:.3f}" for r in results]
        mine, best, quickest = results[0], best_rival(results), best_rival(results, "minimum")
        ratios = ["", ""]
        if best and quickest and not mine.fault:
            ratios = [f"{mine.ratio(best):.2f}", f"{mine.minimum / quickest.minimum:.2f}"]
        rows.append((name, *medians, *ratios))
    headers = ("medians, ms", *runtimes, "ratio", "of minima")
    print_table(headers, rows, right=" " + "r" * (len(headers) - 1))
    print(f"ratio: clnet over the best of {', '.join(RIVALS)}, the median over all rounds")


if __name__ == "__main__":
    sys.exit(main())
