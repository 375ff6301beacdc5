"""A flat list of launches whose arguments are bound: what a session runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.calls import BlasCall, Call, HostCall, KernelCall
from clnet.errors import DeviceError
from clnet.runtime import blas
from clnet.runtime.devices import Device
from clnet.runtime.memory import Buffer, Transfers
from clnet.runtime.opencl import cl
from clnet.runtime.programs import program_cache
from clnet.tensor_spec import TensorSpec


@dataclass(frozen=True)
class Region:
    """A tensor's place: ``spec`` at ``offset`` bytes inside ``buffer``."""

    buffer: Buffer
    offset: int
    spec: TensorSpec


@dataclass(frozen=True)
class BoundCall:
    """A call and the region of each operand, in the order the call names them."""

    call: Call
    operands: tuple[Region, ...]


class Executable:
    """Bound calls on one queue, its own unless given one. ``run`` enqueues them all and does not
    wait. ``buffers`` are released with the executable."""

    def __init__(
        self,
        device: Device,
        calls: Sequence[BoundCall],
        buffers: list[Buffer],
        queue: Any | None = None,
    ) -> None:
        self.device = device
        self.queue = queue or device.new_queue()
        self.transfers = Transfers()
        #: Actual shapes of what the host computed and came out smaller than planned, by region.
        self.shapes: dict[Region, tuple[int, ...]] = {}
        self._buffers = buffers
        self._regions: dict[tuple[int, int, int], Any] = {}
        program_cache(device).build(b.call for b in calls if isinstance(b.call, KernelCall))
        self.calls = tuple(calls)
        self._steps = [self.bind(bound, self.queue) for bound in calls]

    @property
    def launches(self) -> int:
        """Calls enqueued per run."""
        return len(self._steps)

    def run(self) -> None:
        """Enqueue every call in order. Raises DeviceError where the driver refuses."""
        try:
            for function, arguments in self._steps:
                function(*arguments)
        except cl.Error as error:
            raise DeviceError(f"{self.device}: a launch failed: {error}") from None

    def fence(self) -> Any:
        """An event that is complete, and can be waited for, once all that is enqueued has run."""
        event = cl.enqueue_marker(self.queue)
        self.queue.flush()
        return event

    def map(self, region: Region, *, write: bool) -> AbstractContextManager[np.ndarray]:
        """A view of a region; see :meth:`clnet.runtime.memory.Buffer.map`."""
        spec = region.spec
        return region.buffer.map(
            self.queue, self.transfers, spec.shape, spec.dtype, write=write, offset=region.offset
        )

    def hand_over(self, region: Region, other: Executable, target: Region) -> None:
        """Copy what a region holds to its counterpart in another executable."""
        with self.map(region, write=False) as here, other.map(target, write=True) as there:
            there[...] = here
        if region in self.shapes:
            other.shapes[target] = self.shapes[region]

    def release(self) -> None:
        """Give all memory back now; the executable cannot run any more."""
        self.queue.finish()
        self._steps.clear()
        while self._regions:  # NVIDIA's driver crashes unless the last sub-buffer goes first
            self._regions.popitem()
        for buffer in self._buffers:
            buffer.release()
        self._buffers.clear()

    def bind(self, bound: BoundCall, queue: Any) -> tuple[Callable[..., object], tuple[Any, ...]]:
        """A function, and arguments with which it enqueues the call; steps on the host wait."""
        call = bound.call
        if isinstance(call, HostCall):
            return self._run_host, (call, bound.operands)
        memory = [self._memory(r) for r in bound.operands]
        if isinstance(call, BlasCall):
            return blas.bind(call, queue, memory), ()
        operands = iter(memory)
        kernel, local_size = program_cache(self.device).kernel(call)
        kernel.set_args(*(a if isinstance(a, np.generic) else next(operands) for a in call.args))
        return cl.enqueue_nd_range_kernel, (queue, kernel, call.global_size, local_size)

    def _memory(self, region: Region) -> Any:
        key = (id(region.buffer), region.offset, region.spec.nbytes)
        if key not in self._regions:
            self._regions[key] = region.buffer.region(region.offset, region.spec.nbytes)
        return self._regions[key]

    def _run_host(self, call: HostCall, operands: tuple[Region, ...]) -> None:
        inputs, outputs = operands[: len(call.inputs)], operands[len(call.inputs) :]
        arrays = []
        for region in inputs:
            with self.map(region, write=False) as view:
                arrays.append(np.array(self.actual(region, view)))  # no view outlives its mapping
        for region, result in zip(outputs, call.function(*arrays), strict=True):
            self.shapes[region] = result.shape
            with self.map(region, write=True) as view:
                view.reshape(-1)[: result.size] = result.reshape(-1)

    def actual(self, region: Region, view: np.ndarray) -> np.ndarray:
        """The part of a region's view that the last run filled, in its actual shape."""
        shape = self.shapes.get(region, view.shape)
        return view if shape == view.shape else view.reshape(-1)[: math.prod(shape)].reshape(shape)
