"""Loop: steps of one kind and batch size, compiled, and the feed that brings their batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.graph import Graph
from clnet.runtime.devices import Device
from clnet.runtime.states import States
from clnet.session.compile import compile_graph
from clnet.training.augmentation import Augmentation
from clnet.training.data import Samples
from clnet.training.feed import Feed, Views
from clnet.training.optimizers import Optimizer
from clnet.training.schedules import rate_at
from clnet.training.step import SAMPLES, SCALAR, TARGETS, buffer_name


@dataclass(frozen=True)
class Place:
    """Where in training a chunk is: its samples are the epoch's ``order`` from ``start`` on.
    ``first_step`` is the number of the first step of all, counted since the optimizer began."""

    order: np.ndarray
    start: int = 0
    epoch: int = 0
    seed: int = 0
    first_step: int = 0


class Loop:
    """Runs chunks of up to ``steps`` steps of ``batch`` samples."""

    def __init__(
        self, graph: Graph, steps: int, batch: int, device: Device, states: States,
        augmentation: Augmentation | None = None,
    ) -> None:  # fmt: skip
        self.steps, self.batch, self.augmentation = steps, batch, augmentation
        prefix = buffer_name(graph.name, batch, "")
        own = [v for v in graph.states() if v.name.startswith(prefix)]
        for value in own:
            assert value.data is not None
            if value.name not in states.regions:
                states.add(value.name, value.data)
        buffers = {value.name.removeprefix(prefix): value for value in own}
        self.feed = Feed(device, states, buffers, augmentation)
        self.plan = compile_graph(graph, device, states=states)
        self._buffer_bytes = sum(v.spec.nbytes for v in own)

    def run(
        self, samples: Samples, place: Place, steps: int, optimizer: Optimizer | None = None
    ) -> int:
        """Enqueue up to ``steps`` steps, with an ``optimizer`` those of training; how many samples
        they take."""
        chosen = place.order[place.start : place.start + min(steps, self.steps) * self.batch]

        def fill(views: Views) -> None:
            samples.fill(chosen, views[SAMPLES], views[TARGETS])
            self._write(views, samples, place, chosen, optimizer)

        self.feed.put(fill)
        for _ in range(-(-len(chosen) // self.batch)):
            self.plan.executable.run()
        return len(chosen)

    def _write(
        self, views: Views, samples: Samples, place: Place, chosen: np.ndarray,
        optimizer: Optimizer | None,
    ) -> None:  # fmt: skip
        """What the optimizer and the augmentation take from the host."""
        if optimizer is not None:
            per_epoch, steps = (-(-len(s) // self.batch) for s in (place.order, chosen))
            first = place.first_step + place.epoch * per_epoch + place.start // self.batch
            for i, row in enumerate(_scalars(optimizer, place.epoch, first, steps)):
                views[f"{SCALAR}{i}"][:steps] = row
        if self.augmentation is not None:
            size = samples.x.shape[-2], samples.x.shape[-1]
            made = self.augmentation.inputs(place.seed, place.epoch, chosen, size)
            for name, values in made.items():
                views[name][: len(chosen)] = values
                views[name][len(chosen) :] = 0

    @property
    def nbytes(self) -> int:
        """Memory of activations, gradients and batches, without the weights."""
        return self.plan.arena.nbytes + self._buffer_bytes + self.feed.nbytes

    @property
    def bytes_copied(self) -> int:
        """Bytes copied between host and device."""
        return self.plan.executable.transfers.bytes_copied + self.feed.bytes_copied

    def release(self) -> None:
        """Give the memory back."""
        self.plan.executable.release()
        self.feed.release()


def _scalars(optimizer: Optimizer, epoch: int, first: int, count: int) -> np.ndarray:
    """What the optimizer takes for each of ``count`` steps, one row for each of its scalars."""
    rate, steps = optimizer.learning_rate, range(first, first + count)
    return np.array([optimizer.scalars(rate_at(rate, epoch, s), s) for s in steps]).T
