"""Feed: brings batches to the device, through one of two buffers while it works on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from clnet.graph import Graph, GraphBuilder, Value
from clnet.ops.expression import Expression
from clnet.ops.reshape import Reshape
from clnet.ops.update import Update
from clnet.runtime.devices import Device
from clnet.runtime.memory import Transfers
from clnet.runtime.states import States
from clnet.session.compile import compile_graph
from clnet.session.compiled import Compiled
from clnet.training.augmentation import Augmentation
from clnet.training.step import CURSOR, SAMPLES

#: state <- the other input
_ASSIGN = Expression(2)

Views = Mapping[str, np.ndarray]


class Feed:
    """Two copies of a graph that takes batches from the host's buffers, augments the samples, and
    leaves all where the steps look for it. Their buffers are mapped through a queue of their own,
    so that the host fills one while the device works on what came through the other."""

    def __init__(
        self, device: Device, states: States, buffers: Mapping[str, Value],
        augmentation: Augmentation | None,
    ) -> None:  # fmt: skip
        self._queue, self._transfers = device.new_queue(), Transfers()
        self._sides: list[_Side] = []
        for _ in range(2):
            graph = feed_graph(buffers, augmentation)
            self._sides.append(_Side(compile_graph(graph, device, states=states)))

    def put(self, fill: Callable[[Views], None]) -> None:
        """Let ``fill`` write batches into mapped memory, and enqueue what brings them on."""
        side, other = self._sides
        self._sides = [other, side]
        if side.taken is not None:
            side.taken.wait()
        with self._mapped(side.plan) as views:
            fill(views)
        self._queue.finish()
        side.plan.executable.run()
        side.taken = side.plan.executable.fence()

    @contextmanager
    def _mapped(self, plan: Compiled) -> Iterator[Views]:
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(
                    r.buffer.map(
                        self._queue, self._transfers, r.spec.shape, r.spec.dtype,
                        write=True, offset=r.offset,
                    )
                )
                for name, r in plan.inputs.items()
            }  # fmt: skip

    @property
    def bytes_copied(self) -> int:
        """Bytes copied between host and device."""
        own = [side.plan.executable.transfers for side in self._sides]
        return sum(t.bytes_copied for t in (self._transfers, *own))

    @property
    def nbytes(self) -> int:
        """Memory of the two copies."""
        inputs = [r.spec.nbytes for s in self._sides for r in s.plan.inputs.values()]
        return sum(inputs) + sum(s.plan.arena.nbytes for s in self._sides)

    def release(self) -> None:
        """Give the memory back."""
        for side in self._sides:
            side.plan.executable.release()


@dataclass
class _Side:
    plan: Compiled
    taken: Any = None  # the event after which the buffers may be written again


def feed_graph(buffers: Mapping[str, Value], augmentation: Augmentation | None) -> Graph:
    """From inputs of the names and shapes of ``buffers`` to these states; the cursor to 0."""
    build = GraphBuilder("feed")
    for name, state in buffers.items():
        spec = state.spec
        value = build.input(name, spec.shape, spec.dtype)
        if augmentation and name == SAMPLES:
            steps, batch, *shape = spec.shape
            flat = build.add(Reshape((steps * batch, *shape)), value)
            value = build.add(Reshape(spec.shape), augmentation.append(build, flat))
        assert state.data is not None
        build.add(Update(_ASSIGN), build.state(state.data, state.name), value, name=f"feed {name}")
    cursor = build.state(np.zeros((), np.int32), CURSOR)
    build.add(Update(_ASSIGN), cursor, build.constant(np.int32(0)), name="first batch")
    return build.graph
