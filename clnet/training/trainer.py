"""Trainer: fits a network's weights on a device."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from os import PathLike

import numpy as np

from clnet.errors import InputError
from clnet.graph import Graph
from clnet.runtime.devices import Device, find_device
from clnet.runtime.states import States
from clnet.session.compile import Compiled, compile_graph
from clnet.training.data import Samples
from clnet.training.history import History
from clnet.training.losses import find_loss
from clnet.training.network import Network
from clnet.training.optimizers import SGD, Optimizer
from clnet.training.schedules import rate_at
from clnet.training.step import (
    CURSOR,
    SCALAR,
    SEED,
    STEP,
    TOTALS,
    network_graph,
    states_of,
    step_graph,
)

#: Batches are written to the device in chunks of at most so many bytes and so many steps; only
#: between chunks does the host wait for the device.
CHUNK_BYTES, CHUNK_STEPS = 8 << 20, 256


class Trainer:
    """Trains ``net`` on a device; the weights live there until they are asked for.

    ``loss`` names one of :data:`clnet.training.losses.LOSSES`: "cross_entropy" (integer labels),
    "mse", "l1", "bce_with_logits" or "dice" (floats of the output's shape). Use as a context
    manager, or call :meth:`close`, to release the device's memory early. Not to be shared between
    threads. Raises InputError for an unknown loss, DeviceError where no device fits.
    """

    def __init__(
        self,
        net: Network,
        loss: str = "cross_entropy",
        optimizer: Optimizer | None = None,
        device: str | int | Device | None = None,
    ) -> None:
        self.net, self.loss = net, find_loss(loss)
        self.optimizer: Optimizer = optimizer or SGD()
        self.device = find_device(device)
        self._states = States(self.device, states_of(net, self.optimizer))
        self._plans: dict[tuple[str, int], Compiled] = {}
        self._finalizer = weakref.finalize(self, _release, self._plans, self._states)

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        batch_size: int = 1,
        epochs: int = 1,
        validation: tuple[np.ndarray, np.ndarray] | None = None,
        seed: int = 0,
        on_epoch: Callable[[History], None] | None = None,
    ) -> History:
        """Train on samples x[N, *input_shape] with labels y[N], shuffled anew in each epoch.

        The same ``seed``, weights and device give the same result. Where ``batch_size`` does not
        divide N, the last batch of an epoch has fewer samples: its loss and gradient are means
        over those. A label of -1 leaves its sample out. ``on_epoch`` sees the history grow.
        ``seconds`` count training alone, without compiling and validation. Raises InputError
        where x or y do not fit.
        """
        if batch_size < 1 or epochs < 0:
            raise InputError(f"batch_size is {batch_size}, epochs {epochs}")
        samples = self._checked(x, y)
        held_out = self._checked(*validation) if validation else None
        plan = self._step_plan("train", batch_size)
        history = History()
        rng = np.random.default_rng(seed)
        with self._states.map(SEED, write=True) as view:
            view[...] = rng.integers(1 << 32, dtype=np.uint32)
        for epoch in range(epochs):
            started = time.perf_counter()
            result = self._pass(plan, samples, rng.permutation(len(samples)), epoch)
            history.seconds.append(time.perf_counter() - started)
            history.loss.append(result["loss"])
            history.accuracy.append(result["accuracy"])
            if held_out:
                result = self._evaluate(held_out, max(batch_size, 64))
                history.validation_loss.append(result["loss"])
                history.validation_accuracy.append(result["accuracy"])
            if on_epoch:
                on_epoch(history)
        return history

    def evaluate(self, x: np.ndarray, y: np.ndarray, batch_size: int = 64) -> dict[str, float]:
        """Mean loss and share of right answers: {"loss": ..., "accuracy": ...}."""
        return self._evaluate(self._checked(x, y), batch_size)

    def predict(self, x: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """The network's outputs [N, *output_shape] for x [N, *input_shape]."""
        x = np.asarray(x)
        if x.shape[1:] != self.net.input_shape:
            raise InputError(f"x is {list(x.shape)}, samples are {list(self.net.input_shape)}")
        plan = self._plan("predict", batch_size, lambda: network_graph(self.net, batch_size))
        result = np.empty((len(x), *self.net.output_shape), np.float32)
        for start in range(0, len(x), batch_size):
            part = x[start : start + batch_size]
            with _writing(plan, "x") as view:
                view[: len(part)] = part
                view[len(part) :] = 0
            plan.executable.run()
            with plan.executable.map(plan.outputs["y"], write=False) as view:
                result[start : start + batch_size] = view[: len(part)]
        return result

    def state_dict(self) -> dict[str, np.ndarray]:
        """The weights as they are now, copied from the device, by name."""
        self._check_open()
        return {name: self._states.read(name) for name in self.net.parameters}

    def export(self, path: str | PathLike[str]) -> None:
        """Write the network with its present weights as an ONNX model of any batch size."""
        from clnet.exporters.onnx import write_onnx  # the onnx package takes a while to import

        write_onnx(network_graph(self.net, 1, self.state_dict()), path)

    @property
    def bytes_copied(self) -> int:
        """Bytes that were copied between host and device so far; 0 where they share memory."""
        transfers = [p.executable.transfers for p in self._plans.values()]
        return sum(t.bytes_copied for t in (self._states.transfers, *transfers))

    def close(self) -> None:
        """Release the device's memory. The trainer cannot be used any more."""
        self._finalizer()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, x: np.ndarray, y: np.ndarray) -> Samples:
        return Samples.checked(x, y, self.net.input_shape, self.net.output_shape, self.loss)

    def _evaluate(self, samples: Samples, batch: int) -> dict[str, float]:
        return self._pass(self._step_plan("evaluate", batch), samples, np.arange(len(samples)))

    def _pass(
        self, plan: Compiled, samples: Samples, order: np.ndarray, epoch: int | None = None
    ) -> dict[str, float]:
        """Run a plan's steps over the samples in ``order``, training in an ``epoch``; mean loss and
        accuracy."""
        steps, batch = plan.inputs["targets"].spec.shape[:2]
        self._clear(TOTALS)
        for start in range(0, len(order), steps * batch):
            chosen = order[start : start + steps * batch]
            with _writing(plan, "samples") as x, _writing(plan, "targets") as y:
                samples.fill(chosen, x, y)
            if epoch is not None:
                self._write_scalars(plan, epoch, steps)
            self._clear(CURSOR)
            for _ in range(-(-len(chosen) // batch)):
                plan.executable.run()
        loss, correct, count = self._states.read(TOTALS).tolist()
        return {"loss": loss / max(1, count), "accuracy": correct / max(1, count)}

    def _write_scalars(self, plan: Compiled, epoch: int, steps: int) -> None:
        """What the optimizer takes from the host, for the next ``steps`` steps of an epoch."""
        first = int(self._states.read(STEP))
        rate = self.optimizer.learning_rate
        rows = np.array(
            [self.optimizer.scalars(rate_at(rate, epoch, step), step)
             for step in range(first, first + steps)]
        ).T  # fmt: skip
        for i, row in enumerate(rows):
            with _writing(plan, f"{SCALAR}{i}") as view:
                view[...] = row

    def _clear(self, state: str) -> None:
        with self._states.map(state, write=True) as view:
            view[...] = 0

    def _step_plan(self, kind: str, batch: int) -> Compiled:
        sample_bytes = 4 * max(1, int(np.prod(self.net.input_shape)))
        steps = min(CHUNK_STEPS, max(1, CHUNK_BYTES // (batch * sample_bytes)))

        def graph() -> Graph:
            train = kind == "train"
            return step_graph(self.net, self.loss.name, self.optimizer, steps, batch, train=train)

        return self._plan(kind, batch, graph)

    def _plan(self, kind: str, batch: int, graph: Callable[[], Graph]) -> Compiled:
        """Compiled once per kind and batch size; all plans share the states."""
        self._check_open()
        if (kind, batch) not in self._plans:
            compiled = compile_graph(graph(), self.device, states=self._states)
            self._plans[kind, batch] = compiled
        return self._plans[kind, batch]

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise InputError("the trainer is closed")


def _writing(plan: Compiled, name: str) -> AbstractContextManager[np.ndarray]:
    return plan.executable.map(plan.inputs[name], write=True)


def _release(plans: dict[tuple[str, int], Compiled], states: States) -> None:
    for plan in plans.values():
        plan.executable.release()
    plans.clear()
    states.release()
