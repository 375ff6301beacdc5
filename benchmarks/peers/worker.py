"""One runtime with one model in a process of its own: thread pools and memory are its alone.

    python -m benchmarks.peers.worker RUNTIME FOLDER --threads N [--device DEVICE]

FOLDER holds `model.onnx`, `inputs.npz` and `names.json`. Requests are lines of JSON on standard
input, answers lines of JSON on what was standard output; whatever a library prints goes to standard
error. Between requests the process waits on the pipe, so that it does not disturb the others. Needs
NumPy and the runtime, and clnet only for clnet.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.runtimes import RUNTIMES, Runtime, version

#: Share of a turn that is not counted: caches and clocks settle, pools of others fall asleep.
WARMUP = 0.25
FEWEST = 2


def peak_memory() -> int:
    """The most bytes that this process has had in memory so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not tell a process its peak memory")


def latencies(runtime: Runtime, seconds: float) -> list[float]:
    """Milliseconds of each run in a turn of ``seconds``, after a warm-up."""
    found: list[float] = []
    for share, fewest in ((WARMUP, 1), (1 - WARMUP, FEWEST)):
        found.clear()
        end = time.perf_counter() + seconds * share
        while len(found) < fewest or time.perf_counter() < end:
            started = time.perf_counter()
            runtime.run()
            found.append((time.perf_counter() - started) * 1e3)
    return found


class Worker:
    """Answers requests about one loaded model."""

    def __init__(self, name: str, folder: Path, argument: Any) -> None:
        self.name, self.folder = name, folder
        self.before = peak_memory()
        names = json.loads((folder / "names.json").read_text())["inputs"]
        with np.load(folder / "inputs.npz") as stored:
            inputs = dict(zip(names, (stored[file] for file in stored.files), strict=True))
        started = time.perf_counter()
        make, _ = RUNTIMES[name]
        self.runtime = make(folder / "model.onnx", inputs, argument)
        self.runtime.run()
        self.load_seconds = time.perf_counter() - started

    def about(self) -> dict[str, Any]:
        """What is known once the model is loaded and has run; its outputs are stored."""
        for _ in range(2):  # a JIT records its second run
            self.runtime.run()
        np.savez(self.folder / f"{self.name}.npz", *self.runtime.outputs())
        return {
            "version": version(self.name),
            "remark": self.runtime.remark,
            "load_seconds": self.load_seconds,
        }

    def turn(self, seconds: float) -> dict[str, Any]:
        """One turn, and the peak of the memory above what Python and NumPy take."""
        return {
            "latencies_ms": latencies(self.runtime, seconds),
            "peak_bytes": peak_memory() - self.before,
        }


def main() -> None:
    """Load, then answer until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=RUNTIMES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device")
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    argument = options.device if options.name == "clnet" else options.threads
    try:
        worker = Worker(options.name, options.folder.resolve(), argument)
        answer(worker.about())
        for line in sys.stdin:
            answer(worker.turn(json.loads(line)["seconds"]))
    except ImportError as error:
        answer({"fault": f"not installed: {error}"})
    except Exception as error:  # whatever a peer raises is its result
        answer({"fault": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"})


if __name__ == "__main__":
    main()
