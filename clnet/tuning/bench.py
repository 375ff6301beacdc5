"""One workload on a device: its candidates built, run, compared with the default, and timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from weakref import WeakValueDictionary

import numpy as np

from clnet.calls import BlasCall, Call, Candidate, HostCall, KernelCall, Packed, Ref, Workload
from clnet.errors import ClnetError
from clnet.runtime.devices import Device
from clnet.runtime.executable import BoundCall, Executable, Region
from clnet.runtime.memory import Buffer
from clnet.tensor_spec import TensorSpec

#: Largest difference from the default's output, relative to its largest magnitude.
TOLERANCE = {"float16": 2e-2, "float32": 1e-4, "float64": 1e-9}
#: A sample takes at least this long, so that the clock and the last wait do not count.
SAMPLE_SECONDS = 2e-3


class WrongResultError(ClnetError):
    """A candidate whose output differs from the default's."""


def is_tunable(candidates: Sequence[Candidate]) -> bool:
    """Whether candidates can be run alone: not on the host, and not inside another's memory."""
    return all(
        not any(isinstance(call, HostCall) for call in c.calls)
        and all(p.replaces is not None for p in c.placements)
        for c in candidates
    )


def operands(call: Call) -> tuple[Ref, ...]:
    """What a kernel or BLAS routine is applied to."""
    if isinstance(call, KernelCall):
        return tuple(a for a in call.args if isinstance(a, Ref))
    assert isinstance(call, BlasCall)
    return call.operands


class Bench:
    """Inputs of a workload, the same random ones for every candidate, and room for its outputs.

    All inputs are positive, so that roots and logarithms of them exist. Candidates use the same
    workspace and packed constants where they can: which memory it is makes several per cent.
    """

    def __init__(self, device: Device, workload: Workload) -> None:
        self.device, self.queue = device, device.new_queue()
        rng = np.random.default_rng(0)
        self._arrays = [None if s is None else _random(rng, s) for s in workload.inputs]
        self._inputs = [None if a is None else self._upload(a) for a in self._arrays]
        self._outputs = [self._room(spec) for spec in workload.outputs]
        self._expected: list[np.ndarray] = []
        self._work: dict[int, Buffer] = {}
        self._packed: WeakValueDictionary[Packed, Region] = WeakValueDictionary()

    def prepare(self, candidate: Candidate) -> Executable:
        """The candidate built and bound. Raises DeviceError where it does not build or fit."""
        places: dict[str, list[Region | None]] = {
            "in": self._inputs,
            "out": [*self._outputs],
            "work": [self._workspace(i, nbytes) for i, nbytes in enumerate(candidate.workspace)],
            "packed": [self._constant(p) for p in candidate.packed],
        }
        bound = []
        for call in candidate.calls:
            regions = [places[r.role][r.index] for r in operands(call)]
            bound.append(BoundCall(call, tuple(r for r in regions if r is not None)))
        return Executable(self.device, bound, [], self.queue)

    def check(self, executable: Executable) -> float:
        """Run once, and compare with the first candidate that was checked. Returns seconds of that
        run. Raises WrongResultError."""
        for region in self._outputs:  # what is not written must not look right
            with executable.map(region, write=True) as view:
                view.view(np.uint8)[...] = 0x7B
        executable.queue.finish()
        started = time.perf_counter()
        executable.run()
        executable.queue.finish()
        seconds = time.perf_counter() - started
        results = []
        for region in self._outputs:
            with executable.map(region, write=False) as view:
                results.append(np.array(view))
        if self._expected:
            for got, want in zip(results, self._expected, strict=True):
                compare(got, want)
        else:
            self._expected = results
        return seconds

    def sample(self, executable: Executable, seconds: float) -> float:
        """Seconds per run, over as many runs as ``seconds`` of one run ask for."""
        count = max(1, round(SAMPLE_SECONDS / max(seconds, 1e-6)))
        started = time.perf_counter()
        for _ in range(count):
            executable.run()
        executable.queue.finish()
        return (time.perf_counter() - started) / count

    def close(self) -> None:
        """Give the memory back."""
        self.queue.finish()
        for region in (*self._inputs, *self._outputs):
            if region is not None:
                region.buffer.release()
        self._work.clear()

    def _workspace(self, number: int, nbytes: int) -> Region:
        if number not in self._work or self._work[number].nbytes < nbytes:
            self._work[number] = self._memory(nbytes)
        return Region(self._work[number], 0, TensorSpec((nbytes,), "uint8"))

    def _constant(self, packed: Packed) -> Region:
        """Memory that goes with the last candidate that uses it."""
        region = self._packed.get(packed)
        if region is None:
            array = None if packed.input is None else self._arrays[packed.input]
            values = packed.pack() if array is None else packed.pack(array)
            self._packed[packed] = region = self._upload(values, packed.spec)
        return region

    def _room(self, spec: TensorSpec) -> Region:
        return Region(self._memory(spec.nbytes), 0, spec)

    def _memory(self, nbytes: int) -> Buffer:
        return Buffer(self.device.context, nbytes, self.device.memory_policy)

    def _upload(self, array: np.ndarray, spec: TensorSpec | None = None) -> Region:
        region = self._room(spec or TensorSpec.of(array))
        with region.buffer.map(
            self.queue, self.device.uploads, region.spec.shape, region.spec.dtype, write=True
        ) as view:
            view[...] = array
        return region


def _random(rng: np.random.Generator, spec: TensorSpec) -> np.ndarray:
    if spec.is_float:
        return rng.uniform(0.1, 1, spec.shape).astype(spec.dtype)
    return rng.integers(0, 2, spec.shape).astype(spec.dtype)  # indices must exist


def compare(got: np.ndarray, want: np.ndarray) -> None:
    """Raises WrongResultError where two results are not the same, rounding aside."""
    if not np.issubdtype(want.dtype, np.floating):
        if not np.array_equal(got, want):
            count = np.count_nonzero(got != want)
            raise WrongResultError(f"{count} of {want.size} elements differ")
        return
    finite = np.isfinite(want)
    if not np.array_equal(np.isfinite(got), finite):
        raise WrongResultError("elements are not finite that should be, or the reverse")
    error = np.abs(got[finite].astype(np.float64) - want[finite]).max(initial=0)
    scale = np.abs(want[finite], dtype=np.float64).max(initial=1e-30)
    if error > TOLERANCE[want.dtype.name] * scale:
        raise WrongResultError(f"differs by {error:.3g} at magnitude {scale:.3g}")
