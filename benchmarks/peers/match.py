"""Runs the workers of one model turn by turn, and sums up."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

#: The runtimes that clnet is measured against: the best of them is 1.
RIVALS = ("onnxruntime", "openvino", "mnn")


@dataclass
class Result:
    """What one runtime did with one model. Times in milliseconds, memory in bytes."""

    runtime: str
    fault: str = ""
    version: str = ""
    remark: str = ""
    load_seconds: float = 0.0
    peak_bytes: int = 0
    #: Largest difference to clnet's outputs, relative to the largest magnitude of each.
    difference: float | None = None
    #: Latencies of the runs of every turn.
    turns: list[list[float]] = field(default_factory=list, repr=False)

    @property
    def latencies(self) -> list[float]:
        """Of all runs of all turns."""
        return list(chain.from_iterable(self.turns))

    @property
    def median(self) -> float:
        """Of all latencies."""
        return statistics.median(self.latencies)

    @property
    def minimum(self) -> float:
        """Of all latencies."""
        return min(self.latencies)

    def ratio(self, other: Result) -> float:
        """The median over all rounds of this one's median over the other's in the same round.

        A virtual machine's neighbour may take half of each core for seconds at a time. That meets
        both in a short round; medians of all runs compare one's good with the other's bad seconds.
        """
        medians = ([statistics.median(turn) for turn in r.turns] for r in (self, other))
        return statistics.median(a / b for a, b in zip(*medians, strict=True))


@dataclass(frozen=True)
class Settings:
    """How a match is held."""

    python: str
    threads: int
    rounds: int
    seconds: float
    device: str | None


class Player:
    """One worker process."""

    def __init__(self, runtime: str, folder: Path, settings: Settings) -> None:
        self.result = Result(runtime)
        python = sys.executable if runtime == "clnet" else settings.python
        command = [python, "-m", "benchmarks.peers.worker", runtime, str(folder)]
        command += ["--threads", str(settings.threads)]
        if settings.device:
            command += ["--device", settings.device]
        log = (folder / f"{runtime}.log").open("w")
        root = Path(__file__).resolve().parents[2]
        self.process = subprocess.Popen(
            command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
        log.close()
        self.take(self.answer())

    def answer(self) -> dict[str, Any]:
        """The worker's next answer."""
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return dict(json.loads(line))
        return {"fault": f"its process ended with status {self.process.wait()}"}

    def take(self, answer: dict[str, Any]) -> None:
        """Keep what an answer says."""
        if latencies := answer.pop("latencies_ms", None):
            self.result.turns.append(latencies)
        for name, value in answer.items():
            setattr(self.result, name, value)

    def turn(self, seconds: float) -> None:
        """Let it run for that long."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # its answer tells
            print(json.dumps({"seconds": seconds}), file=self.process.stdin, flush=True)
        self.take(self.answer())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def play(runtimes: Sequence[str], folder: Path, settings: Settings) -> list[Result]:
    """All runtimes on the model in ``folder``, in turn, in reverse order every other round."""
    with ExitStack() as stack:
        players = []
        for runtime in runtimes:
            players.append(Player(runtime, folder, settings))
            stack.callback(players[-1].close)
        for number in range(settings.rounds):
            for player in players if number % 2 == 0 else reversed(players):
                if not player.result.fault:
                    player.turn(settings.seconds)
    compare([player.result for player in players], folder)
    return [player.result for player in players]


def compare(results: Sequence[Result], folder: Path) -> None:
    """Set how far each runtime's outputs are from the first one's."""
    good = [result for result in results if not result.fault]
    if not good:
        return
    expected = _outputs(folder / f"{good[0].runtime}.npz")
    for result in good[1:]:
        got = _outputs(folder / f"{result.runtime}.npz")
        if [a.size for a in got] != [a.size for a in expected]:
            result.fault = f"outputs of shapes {[a.shape for a in got]}"
            continue
        result.difference = max(
            float(np.abs(a.reshape(-1) - b.reshape(-1)).max() / max(np.abs(b).max(), 1e-30))
            for a, b in zip(got, expected, strict=True)
        )


def _outputs(path: Path) -> list[np.ndarray]:
    with np.load(path) as stored:
        return [stored[name].astype(np.float64) for name in stored.files]


def best_rival(results: Sequence[Result], figure: str = "median") -> Result | None:
    """That of ONNX Runtime, OpenVINO and MNN with the smallest median or minimum."""
    rivals = [r for r in results if r.runtime in RIVALS and not r.fault]
    return min(rivals, key=lambda r: float(getattr(r, figure)), default=None)
