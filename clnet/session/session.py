"""Session: a model compiled for a device, ready to run."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clnet.errors import InputError
from clnet.runtime.devices import Device
from clnet.runtime.executable import Region
from clnet.session.arrays import Arrays, named_arrays
from clnet.session.background import BackgroundTuning
from clnet.session.compile import Chooser, compile_graph
from clnet.session.compiled import Compiled
from clnet.session.model_file import Shapes, Source
from clnet.session.tune import TuningReport, tune_graph
from clnet.tuning.budget import Budget
from clnet.tuning.tuner import Watch


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape and dtype of an input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class SessionStats:
    """Counts of a session. Bytes and seconds; ``bytes_copied`` since the session was made;
    ``tuned`` is the number of layers for which a tuning record of their own was found."""

    launches: int
    bytes_copied: int
    arena_bytes: int
    arena_lower_bound: int
    weight_bytes: int
    build_seconds: float
    load_seconds: float
    tuned: int


class Session:
    """A model on a device. Calls are serialised: threads may share a session.

    ``source`` builds the graph for given input shapes; it is called again when ``run`` is given
    other shapes than before. ``choose`` picks candidates, by tuning records unless given. Use as a
    context manager, or call :meth:`close`, to release the device's memory early; otherwise it goes
    when the session is collected.
    """

    def __init__(
        self,
        source: Source,
        device: Device,
        precision: str = "fp32",
        input_shapes: Shapes | None = None,
        choose: Chooser | None = None,
    ) -> None:
        if precision not in ("fp32", "fp16"):
            raise InputError(f"precision {precision!r} is neither 'fp32' nor 'fp16'")
        self.device, self.precision = device, precision
        self._source, self._choose = source, choose
        self._lock = threading.RLock()
        self._finalizer: weakref.finalize | None = None
        self._tuning: BackgroundTuning | None = None
        self._compile(input_shapes)

    def _compile(self, input_shapes: Shapes | None) -> None:
        started = time.perf_counter()
        graph = self._source(input_shapes)
        self._release()
        self._shapes = input_shapes
        self._take(compile_graph(graph, self.device, self.precision, self._choose))
        self._load_seconds = time.perf_counter() - started

    def _take(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._finalizer = weakref.finalize(self, compiled.executable.release)

    def _release(self) -> None:
        if self._finalizer is not None:
            self._finalizer()

    @property
    def inputs(self) -> list[TensorInfo]:
        """Name, shape and dtype of each input."""
        return _describe(self._compiled.inputs)

    @property
    def outputs(self) -> list[TensorInfo]:
        """Name, shape and dtype of each output."""
        return _describe(self._compiled.outputs)

    @property
    def compiled(self) -> Compiled:
        """What it runs, for tools that look inside."""
        self._check_open()
        return self._compiled

    def apart(self) -> Compiled:
        """What it runs with every launch on its own, holding the same data, for tools that look
        at launches; the caller's to release."""
        with self._lock:
            old = self.compiled
            graph = self._source(self._shapes)
            new = compile_graph(graph, self.device, self.precision, self._choose, join=False)
            old.hand_over(new)
            return new

    @property
    def stats(self) -> SessionStats:
        """Launches per run, bytes copied so far, bytes of arena and weights, seconds spent."""
        compiled = self._compiled
        return SessionStats(
            compiled.executable.launches,
            compiled.executable.transfers.bytes_copied,
            compiled.arena.nbytes,
            compiled.arena.lower_bound,
            compiled.weight_bytes,
            compiled.build_seconds,
            self._load_seconds,
            compiled.tuned,
        )

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Outputs by name for inputs by name, in order, or the only one.

        Arrays are converted to the input's dtype. Other shapes than before compile the model anew
        for them. Raises InputError where a name, shape or dtype does not fit.
        """
        with self._lock:
            arrays = named_arrays(inputs, self._compiled.inputs)
            if any(a.shape != self._compiled.inputs[n].spec.shape for n, a in arrays.items()):
                self._compile({n: a.shape for n, a in arrays.items()})
                arrays = named_arrays(arrays, self._compiled.inputs)
            for name, array in arrays.items():
                with self.map_input(name) as view:
                    view[...] = array
            self.execute()
            return {name: self._read(name) for name in self._compiled.outputs}

    def __call__(self, *arrays: np.ndarray) -> dict[str, np.ndarray]:
        """``run`` with the inputs in order."""
        return self.run(arrays)

    def execute(self) -> None:
        """Run the plan on what the inputs hold; returns when it is enqueued. Mapping an output
        waits for it."""
        with self._lock:
            self._check_open()
            self._compiled.executable.run()

    def reset(self) -> None:
        """Let a model that remembers earlier runs (variables of TensorFlow Lite) forget them."""
        with self._lock:
            self._check_open()
            for name, array in self._compiled.first.items():
                region = self._compiled.states[name]
                with self._compiled.executable.map(region, write=True) as view:
                    view[...] = array

    @contextmanager
    def map_input(self, name: str) -> Iterator[np.ndarray]:
        """A writable NumPy view of an input's memory, valid inside the block."""
        with (
            self._lock,
            self._compiled.executable.map(
                self._region("input", name, self._compiled.inputs), write=True
            ) as view,
        ):
            yield view

    @contextmanager
    def map_output(self, name: str) -> Iterator[np.ndarray]:
        """A read-only NumPy view of an output's memory, valid inside the block."""
        with self._lock:
            executable = self._compiled.executable
            region = self._region("output", name, self._compiled.outputs)
            with executable.map(region, write=False) as view:
                yield executable.actual(region, view)

    def tune(
        self,
        budget: float | Budget = 120,
        *,
        level: str = "normal",
        path: Path | None = None,
        force: bool = False,
        background: bool = False,
        watch: Watch = lambda progress: None,
    ) -> TuningReport | BackgroundTuning:
        """Find what is fastest here for the session's layers, remember it, and go on with that.

        The arguments are those of :func:`clnet.tune`. With ``background`` the call returns at once,
        the session can be used meanwhile, and takes its new plan between two runs; the calls of the
        session slow the tuning down, and it them. Raises what ``clnet.tune`` does.
        """
        if self._tuning is not None and not self._tuning.done:
            raise InputError("this session is being tuned already")
        self._check_open()
        source, shapes, device, precision = self._source, self._shapes, self.device, self.precision
        budget = budget if isinstance(budget, Budget) else Budget(budget)
        reference = weakref.ref(self)  # a tuning keeps no session alive

        def work() -> TuningReport:
            report, compiled = tune_graph(
                lambda: source(shapes), device, precision,
                budget=budget, level=level, path=path, force=force, watch=watch,
            )  # fmt: skip
            session = reference()
            if compiled and not (session and session._go_on_with(compiled)):
                compiled.executable.release()
            return report

        if not background:
            return work()
        weakref.finalize(self, budget.abandon)
        self._tuning = BackgroundTuning(work, budget)
        return self._tuning

    def _go_on_with(self, compiled: Compiled) -> bool:
        """Take another plan for the same shapes, with what inputs, outputs and states hold; whether
        it is still wanted."""
        with self._lock:
            old = self._compiled
            wanted = {n: r.spec for n, r in old.inputs.items()}
            if not self._is_open or wanted != {n: r.spec for n, r in compiled.inputs.items()}:
                return False
            compiled.executable.transfers = old.executable.transfers
            old.hand_over(compiled)
            self._release()
            self._take(compiled)
            return True

    def close(self) -> None:
        """Release the device's memory. The session cannot be used any more."""
        if self._tuning is not None:
            self._tuning.abandon()
        with self._lock:
            self._release()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, name: str) -> np.ndarray:
        with self.map_output(name) as view:
            return np.array(view)

    @property
    def _is_open(self) -> bool:
        return self._finalizer is not None and self._finalizer.alive

    def _check_open(self) -> None:
        if not self._is_open:
            raise InputError("the session is closed")

    def _region(self, kind: str, name: str, regions: dict[str, Region]) -> Region:
        self._check_open()
        if name not in regions:
            raise InputError(f"no {kind} is named {name!r}; there are {', '.join(regions)}")
        return regions[name]


def _describe(regions: dict[str, Region]) -> list[TensorInfo]:
    return [TensorInfo(n, r.spec.shape, r.spec.dtype) for n, r in regions.items()]
