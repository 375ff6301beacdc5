"""Tensors that stay on the device between runs and are shared by several executables."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

import numpy as np

from clnet.errors import ClnetError
from clnet.runtime.devices import Device
from clnet.runtime.executable import Region
from clnet.runtime.memory import Buffer, Transfers
from clnet.tensor_spec import TensorSpec


class States:
    """Weights and other states by name, and the one in-order queue of all that use them.

    Executables compiled with the same ``States`` see each other's updates in the order in which
    they were enqueued. What they copy is counted in ``transfers``.
    """

    def __init__(self, device: Device, arrays: Mapping[str, np.ndarray]) -> None:
        self.device, self.queue = device, device.new_queue()
        self.transfers = Transfers()
        self.regions: dict[str, Region] = {}
        try:
            for name, array in arrays.items():
                self.add(name, array)
        except ClnetError:
            self.release()
            raise

    def add(self, name: str, array: np.ndarray) -> None:
        """Another state, which begins as ``array``."""
        spec = TensorSpec.of(array)
        buffer = Buffer(self.device.context, spec.nbytes, self.device.memory_policy)
        self.regions[name] = Region(buffer, 0, spec)
        self.write(name, array)

    def write(self, name: str, array: np.ndarray) -> None:
        """Give a state a new value."""
        with self.map(name, write=True) as view:
            view[...] = array

    def map(self, name: str, *, write: bool) -> AbstractContextManager[np.ndarray]:
        """A view of a state; waits for what is enqueued. See
        :meth:`clnet.runtime.memory.Buffer.map`."""
        buffer, spec = self.regions[name].buffer, self.regions[name].spec
        return buffer.map(self.queue, self.transfers, spec.shape, spec.dtype, write=write)

    def read(self, name: str) -> np.ndarray:
        """A copy of a state's present value."""
        with self.map(name, write=False) as view:
            return np.array(view)

    def release(self) -> None:
        """Give the memory back now. The executables that share it cannot run any more."""
        self.queue.finish()
        for region in self.regions.values():
            region.buffer.release()
        self.regions.clear()
