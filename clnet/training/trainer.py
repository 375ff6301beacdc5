"""Trainer: fits a network's weights on a device."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike, path
from typing import Any

import numpy as np

from clnet.errors import InputError
from clnet.runtime.devices import Device, find_device
from clnet.runtime.states import States
from clnet.session.compile import compile_graph
from clnet.session.compiled import Compiled
from clnet.training.augmentation import Augmentation
from clnet.training.checkpoint import read_tensors, write_tensors
from clnet.training.data import Samples
from clnet.training.diagnosis import diagnose
from clnet.training.early_stop import EarlyStop
from clnet.training.fitting import Fitting, Plan
from clnet.training.history import History
from clnet.training.loop import Loop, Place
from clnet.training.losses import find_loss
from clnet.training.memory import MemoryUse
from clnet.training.network import Network
from clnet.training.optimizers import SGD, Optimizer
from clnet.training.progress import Observer, progress_bar
from clnet.training.step import SEED, TOTALS, network_graph, states_of, step_graph

#: Batches are written to the device in chunks of at most so many bytes and so many steps.
CHUNK_BYTES, CHUNK_STEPS = 8 << 20, 256
#: What a function's repr says of the process rather than of the function.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
#: Samples that are validated at once, at least.
_VALIDATION_BATCH = 64


class Trainer:
    """Trains ``net`` on a device; the weights live there until they are asked for.

    ``loss`` names one of :data:`clnet.training.losses.LOSSES`: "cross_entropy" (integer labels),
    "mse", "l1", "bce_with_logits" or "dice" (floats of the output's shape). With ``checkpoint``
    most activations are computed again when their gradients are, rather than kept: deep networks
    need less memory and a third more time. Use as a context manager, or call :meth:`close`, to
    release the device's memory early. Not to be shared between threads. Raises InputError for an
    unknown loss, DeviceError where no device fits.
    """

    def __init__(
        self,
        net: Network,
        loss: str = "cross_entropy",
        optimizer: Optimizer | None = None,
        device: str | int | Device | None = None,
        *,
        checkpoint: bool = False,
    ) -> None:
        self.net, self.loss, self._checkpoint = net, find_loss(loss), checkpoint
        self.optimizer: Optimizer = optimizer or SGD()
        self.device = find_device(device)
        self._state_names = tuple(states_of(net, self.optimizer))
        self._states = States(self.device, states_of(net, self.optimizer))
        self._plans: dict[Any, Loop | Compiled] = {}
        self._finalizer = weakref.finalize(self, _release, self._plans, self._states)

    def fit(
        self,
        x: Any,
        y: np.ndarray,
        batch_size: int = 1,
        epochs: int = 1,
        validation: tuple[Any, np.ndarray] | None = None,
        seed: int = 0,
        *,
        augmentation: Augmentation | None = None,
        early_stop: EarlyStop | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_seconds: float = 60.0,
        resume: bool = False,
        on_epoch: Callable[[History], None] | None = None,
        on_progress: Observer | None = None,
        progress: bool = True,
    ) -> History:
        """Train on samples x[N, *input_shape] with targets y[N, ...], shuffled anew in each epoch.

        ``x`` is an array, or anything with ``shape``, ``dtype`` and ``x[indices]``, such as what
        :mod:`clnet.datasets` reads. The same ``seed``, weights and device give the same result.
        Where ``batch_size`` does not divide N, the last batch of an epoch has fewer samples: its
        loss and gradient are means over those. A label of -1 leaves its sample out.

        ``checkpoint`` is a file that all training depends on is written to, atomically, every
        ``checkpoint_seconds`` and at the end; with ``resume`` training goes on from there, if it
        exists, and ends with the same bits as if it had never stopped. ``on_epoch`` sees the
        history grow; ``on_progress`` hears more often. On a terminal ``progress`` draws a bar with
        loss, accuracy and speed. ``history.seconds`` count training alone, without compiling and
        validation.

        Raises InputError naming what does not fit (of the data: DataError), TrainingError naming
        the layer where the loss stops being a number.
        """
        if batch_size < 1 or epochs < 0:
            raise InputError(f"batch_size is {batch_size}, epochs {epochs}")
        if resume and checkpoint is None:
            raise InputError("there is nothing to resume without a checkpoint")
        samples = self._checked(x, y)
        validate = self._validation(validation, batch_size)
        loop = self._loop("train", batch_size, augmentation)
        self._states.write(SEED, np.uint32(np.random.default_rng(seed).integers(1 << 32)))
        identity = {
            "loss": self.loss.name,
            "optimizer": _ADDRESS.sub("", repr(self.optimizer)),
            "augmentation": repr(augmentation),
            "batch_size": batch_size,
            "seed": seed,
            "samples": len(samples),
            "frozen": sorted(self.net.frozen),
        }
        with progress_bar(progress) as bar:
            fitting = Fitting(
                loop, samples, self.optimizer, self._states, list(self._state_names),
                Plan(epochs, seed, identity, checkpoint, checkpoint_seconds, early_stop, on_epoch,
                     [o for o in (on_progress, bar) if o is not None]),
                validate, partial(diagnose, self.net, self._states),
            )  # fmt: skip
            if resume and path.exists(checkpoint or ""):
                fitting.resume()
            return fitting.run()

    def check(self, x: Any, y: np.ndarray) -> None:
        """Raise DataError naming what of these samples ``fit`` and ``evaluate`` would refuse."""
        self._checked(x, y)

    def evaluate(self, x: Any, y: np.ndarray, batch_size: int = 64) -> dict[str, float]:
        """Mean loss and share of right answers: {"loss": ..., "accuracy": ...}."""
        return self._evaluate(self._checked(x, y), self._loop("evaluate", batch_size))

    def predict(self, x: Any, batch_size: int = 64) -> np.ndarray:
        """The network's outputs [N, *output_shape] for x [N, *input_shape]."""
        if tuple(np.shape(x)[1:]) != self.net.input_shape:
            raise InputError(f"x is {list(np.shape(x))}, samples are {list(self.net.input_shape)}")
        plan = self._predictor(batch_size)
        result = np.empty((len(x), *self.net.output_shape), np.float32)
        for start in range(0, len(x), batch_size):
            part = x[start : start + batch_size]
            with plan.executable.map(plan.inputs["x"], write=True) as view:
                view[: len(part)] = part
                view[len(part) :] = 0
            plan.executable.run()
            with plan.executable.map(plan.outputs["y"], write=False) as view:
                result[start : start + batch_size] = view[: len(part)]
        return result

    def memory(
        self, batch_size: int = 1, validation: bool = False,
        augmentation: Augmentation | None = None,
    ) -> MemoryUse:  # fmt: skip
        """What fit with these arguments holds of the device's memory at its peak, before it is
        called: the steps are compiled for it here. ``validation``: whether there will be any."""
        loops = [self._loop("train", batch_size, augmentation)]
        if validation:
            loops.append(self._loop("evaluate", max(batch_size, _VALIDATION_BATCH)))
        sizes = {n: r.spec.nbytes for n, r in self._states.regions.items()}
        weights = sum(sizes[n] for n in self.net.parameters)
        kept = sum(sizes[n] for n in self._state_names) - weights
        return MemoryUse(weights, kept, sum(loop.nbytes for loop in loops))

    def state_dict(self) -> dict[str, np.ndarray]:
        """The weights as they are now, copied from the device, by name."""
        self._check_open()
        return {name: self._states.read(name) for name in self.net.parameters}

    def load_state_dict(self, weights: Mapping[str, np.ndarray]) -> None:
        """Put weights on the device. Raises InputError naming what is missing or does not fit."""
        self._check_open()
        for name, present in self.net.parameters.items():
            if name not in weights or weights[name].shape != present.shape:
                found = list(weights[name].shape) if name in weights else "missing"
                raise InputError(f"{name} is {list(present.shape)} here, {found} in the weights")
        for name in self.net.parameters:
            self._states.write(name, weights[name])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the weights as a safetensors file, atomically."""
        write_tensors(path, self.state_dict(), {"loss": self.loss.name})

    def load(self, path: str | PathLike[str]) -> None:
        """Take weights from a file that ``save`` or a checkpoint wrote."""
        self.load_state_dict(read_tensors(path)[0])

    def export(self, path: str | PathLike[str]) -> None:
        """Write the network with its present weights as an ONNX model of any batch size."""
        from clnet.exporters.onnx import write_onnx  # the onnx package takes a while to import

        write_onnx(network_graph(self.net, 1, self.state_dict()), path, open_batch=True)

    @property
    def bytes_copied(self) -> int:
        """Bytes that were copied between host and device so far; 0 where they share memory."""
        plans = [
            p.bytes_copied if isinstance(p, Loop) else p.executable.transfers.bytes_copied
            for p in self._plans.values()
        ]
        return self._states.transfers.bytes_copied + sum(plans)

    def close(self) -> None:
        """Release the device's memory. The trainer cannot be used any more."""
        self._finalizer()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, x: Any, y: np.ndarray) -> Samples:
        return Samples.checked(x, y, self.net.input_shape, self.net.output_shape, self.loss)

    def _validation(
        self, data: tuple[Any, np.ndarray] | None, batch_size: int
    ) -> Callable[[], dict[str, float]] | None:
        if data is None:
            return None
        held_out = self._checked(*data)
        loop = self._loop("evaluate", max(batch_size, _VALIDATION_BATCH))
        return lambda: self._evaluate(held_out, loop)

    def _evaluate(self, samples: Samples, loop: Loop) -> dict[str, float]:
        before = self._states.read(TOTALS)
        self._states.write(TOTALS, np.zeros(3, np.float32))
        order, start = np.arange(len(samples)), 0
        while start < len(order):
            start += loop.run(samples, Place(order, start), loop.steps)
        loss, correct, count = self._states.read(TOTALS).tolist()
        self._states.write(TOTALS, before)
        return {"loss": loss / max(1, count), "accuracy": correct / max(1, count)}

    def _loop(self, kind: str, batch: int, augmentation: Augmentation | None = None) -> Loop:
        """Compiled once per kind, batch size and augmentation; all share the states."""
        self._check_open()
        key = (kind, batch, augmentation)
        found = self._plans.get(key)
        if not isinstance(found, Loop):
            sample_bytes = 4 * max(1, int(np.prod(self.net.input_shape)))
            steps = min(CHUNK_STEPS, max(1, CHUNK_BYTES // (batch * sample_bytes)))
            graph = step_graph(
                self.net, self.loss.name, self.optimizer, steps, batch, train=kind == "train",
                checkpoint=self._checkpoint,
            )  # fmt: skip
            found = Loop(graph, steps, batch, self.device, self._states, augmentation)
            self._plans[key] = found
        return found

    def _predictor(self, batch: int) -> Compiled:
        self._check_open()
        found = self._plans.get(("predict", batch))
        if not isinstance(found, Compiled):
            graph = network_graph(self.net, batch)
            found = compile_graph(graph, self.device, states=self._states)
            self._plans["predict", batch] = found
        return found

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise InputError("the trainer is closed")


def _release(plans: dict[Any, Loop | Compiled], states: States) -> None:
    for plan in plans.values():
        if isinstance(plan, Loop):
            plan.release()
        else:
            plan.executable.release()
    plans.clear()
    states.release()
