"""Reads and runs mutated models, one after the other, in a process that may die of it.

Takes lines ``NUMBER`` from stdin and answers each with two: an empty one once clnet has run, and
JSON, what was done to the model and how it ended. A limit on the address space turns any allocation
beyond ``MEMORY`` into a failure.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from evaluate import evaluate
from golden import DATA
from importers.mutations import REAL, mutate
from importers.onnx_models import many_ops
from onnx.reference import ReferenceEvaluator

import clnet
from clnet.graph import Graph
from clnet.importers.onnx import read_onnx
from clnet.runtime.devices import find_device
from clnet.session.compile import plan_graph

Arrays = dict[str, np.ndarray]
#: Writes mutation number so and so into a folder; says what was done, and where the model is.
Mutate = Callable[[int, Path], tuple[str, Path]]
#: Inputs and what clnet makes of them; None where the model was only planned.
Run = Callable[[Path], tuple[Arrays, Arrays] | None]
#: Whether these outputs are right, and who says so.
Compared = Callable[[Path, Arrays, Arrays], tuple[str, str]]

MEMORY = 1 << 30
#: Of processor time for reading, compiling and running.
SECONDS = 10
#: Models with more nodes are run only where they launch what a good model launches, in its order:
#: neighbours are compiled together, so fifty others would take longer than all the rest.
FEW_NODES = 30
#: Inputs with more are left to the references of clnet's ops: ONNX's take minutes.
FEW_ELEMENTS = 1 << 20


def main() -> None:
    """Answer until stdin ends."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:  # brings the driver and its compiler in
        path = Path(folder) / "model.onnx"
        path.write_bytes(many_ops().SerializeToString())
        with redirect_stdout(None):
            judge(path, run, compared)
    for name in REAL:
        if (DATA / name).is_file():
            clnet.load(DATA / name).close()  # its kernels are in the cache from now on
    familiar_launches()
    serve(mutate, run, compared)


def serve(mutate: Mutate, run: Run, compared: Compared) -> None:
    """Mutate and judge by number until stdin ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            done, path = mutate(int(line), Path(folder))
            verdict = judge(path, run, compared)
            print(json.dumps({"number": int(line), "mutation": done, **verdict}), flush=True)


@dataclass(frozen=True)
class Format:
    """Models of a format: how they are read, what harms them, and good ones, which ``write_good``
    puts into a folder."""

    read: Callable[[Path], Graph]
    mutate: Mutate
    write_good: Callable[[Path], list[Path]]
    #: Models that need more kernels than this beyond the good ones' are only planned: compiling
    #: would take longer than all the rest.
    new_kernels: int = 3
    #: How far apart quantised numbers may be: on the edge, one is rounded to either side.
    steps_apart: int = 0

    def serve(self) -> None:
        """Answer until stdin ends; before that, bring the driver in and build the good models."""
        warnings.simplefilter("ignore")
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(None):
            good = self.write_good(Path(folder))
            familiar = set().union(*(problems(self.read(path)) for path in good))
            for path in good:
                verdict = judge(path, run_with_random_inputs, self.compared)
                assert verdict["verdict"] in ("right", "too much memory", "too slow"), verdict

        def run(path: Path) -> tuple[Arrays, Arrays] | None:
            graph = self.read(path)
            if len(problems(graph) - familiar) > self.new_kernels:
                plan_graph(graph, find_device())
                return None
            return run_with_random_inputs(path)

        serve(self.mutate, run, self.compared)

    def compared(self, path: Path, feeds: Arrays, got: Arrays) -> tuple[str, str]:
        """Whether the outputs are right, and who says so."""
        with np.errstate(all="ignore"):
            want = evaluate(self.read(path), feeds)
        for name, array in want.items():
            if array.dtype in ("int8", "uint8", "int16"):
                apart = np.abs(got[name].astype(int) - array.astype(int)).max(initial=0)
                if apart <= self.steps_apart:
                    want[name] = got[name]
        wrong = difference(got, want)
        if wrong:
            return "wrong", f"against the references of clnet's ops: {wrong}"
        return "right", "as the references of clnet's ops say"


def status(key: str) -> int:
    """A figure out of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) << 10
    raise KeyError(key)


def judge(path: Path, run: Run, compared: Compared) -> dict[str, object]:
    """How clnet ends with a model: ``refused`` in one line, ``right``, ``planned`` (not run, for it
    would only compile many kernels), or something bad."""
    Path("/proc/self/clear_refs").write_text("5")  # peaks count from here
    before, started = status("VmRSS"), time.process_time()
    ran = None
    try:
        with limited_memory():
            ran = run(path)
        verdict, text = "planned", "read, and its launches and memory planned"
    except clnet.ClnetError as error:
        verdict = "refused" if len(str(error).splitlines()) == 1 else "several lines"
        text = str(error)
    except Exception:
        verdict, text = "traceback", traceback.format_exc()[-1500:]
    seconds, grown = time.process_time() - started, status("VmHWM") - before
    print(flush=True)
    if ran is not None:
        verdict, text = compared(path, *ran)
    if grown > MEMORY or seconds > SECONDS:
        verdict = "too much memory" if grown > MEMORY else "too slow"
    return {"verdict": verdict, "text": text, "megabytes": grown >> 20, "seconds": seconds}


@contextmanager
def limited_memory() -> Iterator[None]:
    """Let allocations beyond ``MEMORY`` fail: clnet's own, not those of its oracles."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def run(path: Path) -> tuple[Arrays, Arrays] | None:
    """Inputs and what clnet makes of them; None where the model was only planned."""
    graph = read_onnx(path)
    if len(graph.nodes) > FEW_NODES and launches(graph) not in familiar_launches():
        plan_graph(graph, find_device())
        return None
    return run_with_random_inputs(path)


def run_with_random_inputs(path: Path) -> tuple[Arrays, Arrays]:
    """Inputs and what clnet makes of them."""
    with clnet.load(path) as session:
        rng = np.random.default_rng(0)
        feeds = {
            i.name: rng.uniform(-1, 1, i.shape).astype(i.dtype)
            if i.dtype.startswith("float") else rng.integers(0, 2, i.shape).astype(i.dtype)
            for i in session.inputs
        }  # fmt: skip
        return feeds, session.run(feeds)


def compared(path: Path, feeds: Arrays, got: Arrays) -> tuple[str, str]:
    """Whether the outputs are right, and who says so."""
    graph = read_onnx(path)
    wrong = difference(got, evaluate(graph, feeds))
    if wrong:
        return "wrong", f"against the references of clnet's ops: {wrong}"
    return against_onnx(path, graph, feeds, got)


def launches(graph: Graph) -> tuple[tuple[object, ...], ...]:
    """What the graph's nodes compute on which shapes, and which inputs are weights, in order."""
    return tuple(
        (n.op, *((v.spec, v.data is None) if v else None for v in n.inputs)) for n in graph.nodes
    )


def problems(graph: Graph) -> set[tuple[object, ...]]:
    """The different ones: the same needs the same kernels."""
    return set(launches(graph))


@cache
def familiar_launches() -> set[tuple[tuple[object, ...], ...]]:
    """Those of the unharmed models."""
    return {launches(read_onnx(DATA / name)) for name in REAL if (DATA / name).is_file()}


def against_onnx(path: Path, graph: Graph, feeds: Arrays, got: Arrays) -> tuple[str, str]:
    """Compare with ONNX's own reference, where that takes the model too and is quick. It computes
    old forms of Softmax as if they were new."""
    if len(graph.nodes) > FEW_NODES or sum(a.size for a in feeds.values()) > FEW_ELEMENTS:
        return "right", "as the references of clnet's ops say"
    try:
        model = onnx.load(path)
        if model.opset_import[0].version < 13 and any("Softmax" in n.op_type
                                                      for n in model.graph.node):  # fmt: skip
            return "right", "as the references of clnet's ops say"
        evaluator = ReferenceEvaluator(model)
        want = dict(zip(evaluator.output_names, evaluator.run(None, feeds), strict=True))
    except Exception as error:
        return "right", f"as clnet's references say; ONNX's fail: {type(error).__name__}"
    wrong = difference(got, want)
    return ("differs", f"from ONNX's reference: {wrong}") if wrong else ("right", "as ONNX says")


def difference(got: Arrays, want: Arrays) -> str | None:
    """What differs between outputs, or None. Flipped bits make weights of any magnitude, so where
    a sum has overflowed only what is finite on both sides counts."""
    for name, expected in want.items():
        result, expected = np.asarray(got[name]), np.asarray(expected)
        if result.shape != expected.shape:
            return f"shape {result.shape} instead of {expected.shape}"
        with np.errstate(all="ignore"):
            both = np.isfinite(result) & np.isfinite(expected)
            a, b = result[both].astype(np.float64), expected[both].astype(np.float64)
        scale = np.abs(b).max(initial=1e-6)
        if a.size and np.abs(a - b).max() > 1e-3 * scale:
            return f"{np.abs(a - b).max():.3g} at magnitude {scale:.3g}"
    return None


if __name__ == "__main__":
    main()
