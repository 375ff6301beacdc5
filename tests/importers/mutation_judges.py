"""Judges mutated models in processes that may die of them; see mutation_worker.py."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

#: On the clock of a busy machine; the worker itself holds clnet to 10 s of processor time.
CLNET_SECONDS = 30
#: For NumPy to check what clnet computed.
CHECK_SECONDS = 180
TESTS = Path(__file__).parents[1]


class Worker:
    """A process that judges mutated models; another one takes over where it dies. ``module`` is
    what it runs."""

    def __init__(self, module: str) -> None:
        path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
        # a board's memory: what does not fit must be refused
        env = {**os.environ, "PYTHONPATH": path, "POCL_MEMORY_LIMIT": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=env,
        )  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        assert self.lines.get(timeout=600).strip() == "ready", "the worker does not start"

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def judge(self, number: int) -> dict[str, Any]:
        """The worker's answer, or how it died."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        for seconds in (CLNET_SECONDS, CHECK_SECONDS):  # first it says that clnet is done
            try:
                line = self.lines.get(timeout=seconds)
            except queue.Empty:
                return {"number": number, "verdict": f"hangs: nothing for {seconds} s"}
            if not line:
                return {"number": number, "verdict": f"crash {self.process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def judged(module: str, numbers: range) -> Iterator[dict[str, Any]]:
    """The verdict on each mutation."""
    worker = Worker(module)
    for number in numbers:
        answer = worker.judge(number)
        yield answer
        if answer["verdict"].startswith(("hangs", "crash")):
            worker.close()
            worker = Worker(module)
    worker.close()


def judge_all(module: str, count: int) -> None:
    """Fail where one of ``count`` mutations ends in anything but one line or the right answer."""
    Worker(module).close()  # compiles what the good models need, once
    lanes = max(1, min(4, os.cpu_count() or 1))
    ranges = [range(lane, count, lanes) for lane in range(lanes)]
    with ThreadPoolExecutor(lanes) as pool:
        answers = [a for lane in pool.map(lambda r: list(judged(module, r)), ranges) for a in lane]
    assert len(answers) == count
    print(Counter(a["verdict"] for a in answers))
    bad = [a for a in answers if a["verdict"] not in ("refused", "right", "planned")]
    assert not bad, "\n".join(map(str, bad[:20]))


if __name__ == "__main__":
    for answer in judged(sys.argv[1], range(int(sys.argv[2]), int(sys.argv[3]))):
        print(answer, flush=True)
