"""Fitting: one call of Trainer.fit, from the first chunk of samples to the last."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from clnet.errors import InputError
from clnet.runtime.states import States
from clnet.training.checkpoint import read_tensors, write_tensors
from clnet.training.data import Samples
from clnet.training.early_stop import EarlyStop
from clnet.training.history import History
from clnet.training.loop import Loop, Place
from clnet.training.optimizers import Optimizer
from clnet.training.progress import Observer, Progress
from clnet.training.step import STEP, TOTALS

#: Seconds of work that the host hands over at once, and between two looks at the loss.
CHUNK_SECONDS, LOOK_SECONDS = 0.25, 0.5
#: Seconds of work that are done again, at most, to find where a loss stopped being a number.
SNAPSHOT_SECONDS = 2.0
#: The names of a checkpoint's weights of the best epoch.
_BEST = "best:"


@dataclass(frozen=True)
class Plan:
    """What fit was asked for. ``identity`` is what a checkpoint must agree with."""

    epochs: int
    seed: int
    identity: dict[str, Any]
    checkpoint: str | PathLike[str] | None = None
    checkpoint_seconds: float = 60.0
    early_stop: EarlyStop | None = None
    on_epoch: Callable[[History], None] | None = None
    observers: Sequence[Observer] = ()


@dataclass
class Position:
    """How far training is: all that a checkpoint holds beside the device's states."""

    epoch: int = 0
    done: int = 0  #: samples of the epoch
    seconds: float = 0.0  #: of the epoch
    first_step: int = 0  #: see Place
    finished: bool = False
    history: History = field(default_factory=History)


class Fitting:
    """Runs epochs on a Loop. ``state_names`` are the states that training changes; ``validate``
    gives loss and accuracy of held-out samples, or is None; ``diagnose`` raises what is to be
    said about the samples at a place, whose loss is no number."""

    def __init__(
        self, loop: Loop, samples: Samples, optimizer: Optimizer, states: States,
        state_names: list[str], plan: Plan, validate: Callable[[], dict[str, float]] | None,
        diagnose: Callable[[Samples, Place, np.ndarray], None],
    ) -> None:  # fmt: skip
        self.loop, self.samples, self.optimizer = loop, samples, optimizer
        self.states, self.names, self.plan = states, state_names, plan
        self.validate, self.diagnose = validate, diagnose
        self.at = Position(first_step=int(states.read(STEP)))
        self.at.history.samples = len(samples)
        self.best: dict[str, np.ndarray] = {}
        self._kept: tuple[dict[str, np.ndarray], int] = {}, 0  # a snapshot, and its ``at.done``
        self._snapshot_time = self._looked = 0.0
        self._saved = time.monotonic()

    def run(self) -> History:
        """Train until the last epoch, or until early stop."""
        while self.at.epoch < self.plan.epochs and not self.at.finished:
            self._epoch()
            self._end_epoch()
        if self.plan.checkpoint is not None:
            self._save()
        if self.best:
            for name, array in self.best.items():
                self.states.write(name, array)
        return self.at.history

    # --- an epoch --------------------------------------------------------------------------------

    def _epoch(self) -> None:
        """From where the epoch stands to its end."""
        at = self.at
        order = np.random.default_rng((self.plan.seed, at.epoch)).permutation(len(self.samples))
        if at.done == 0:
            self.states.write(TOTALS, np.zeros(3, np.float32))
        began, counted = time.perf_counter(), at.seconds
        self._looked = began
        self._snapshot()
        chunk, pending, first = 1, 0, True
        while at.done < len(order):
            taken = self.loop.run(self.samples, self._place(order), chunk, self.optimizer)
            at.done += taken
            pending += taken
            now = time.perf_counter()
            chunk = min(2 * chunk, self.loop.steps)
            if now - self._looked < LOOK_SECONDS and at.done < len(order) and not first:
                continue
            self._look(order, began - counted)
            now = time.perf_counter()
            at.seconds = counted + now - began
            rate = pending / self.loop.batch / max(1e-9, now - self._looked)  # steps a second
            chunk = max(1, min(self.loop.steps, int(rate * CHUNK_SECONDS)))
            self._looked, pending, first = now, 0, False
            if self._is_due() and at.done < len(order):
                self._save()

    def _place(self, order: np.ndarray) -> Place:
        return Place(order, self.at.done, self.at.epoch, self.plan.seed, self.at.first_step)

    def _look(self, order: np.ndarray, began: float) -> None:
        """Wait for the device, and see whether the loss still is a number."""
        loss, correct, count = self.states.read(TOTALS).tolist()
        if not math.isfinite(loss):
            self._find_fault(order)
        if time.perf_counter() - self._snapshot_time > SNAPSHOT_SECONDS:
            self._snapshot()
        count, seconds = max(1, count), time.perf_counter() - began
        progress = Progress(
            self.at.epoch, self.plan.epochs, self.at.done, len(order),
            loss / count, correct / count, self.at.done / max(1e-9, seconds),
        )  # fmt: skip
        for observer in self.plan.observers:
            observer(progress)

    def _end_epoch(self) -> None:
        at, history = self.at, self.at.history
        loss, correct, count = self.states.read(TOTALS).tolist()
        history.seconds.append(at.seconds)
        history.loss.append(loss / max(1, count))
        history.accuracy.append(correct / max(1, count))
        if self.validate is not None:
            found = self.validate()
            history.validation_loss.append(found["loss"])
            history.validation_accuracy.append(found["accuracy"])
        at.epoch, at.done, at.seconds = at.epoch + 1, 0, 0.0
        stop = self.plan.early_stop
        if stop is not None:
            if stop.restore and stop.best(history) == len(history.loss) - 1:
                self.best = self._read()
            at.finished = stop.is_over(history)
        if self.plan.on_epoch is not None:
            self.plan.on_epoch(history)
        if self._is_due() and at.epoch < self.plan.epochs:
            self._save()

    # --- checkpoints -----------------------------------------------------------------------------

    def _is_due(self) -> bool:
        elapsed = time.monotonic() - self._saved
        return self.plan.checkpoint is not None and elapsed >= self.plan.checkpoint_seconds

    def _save(self) -> None:
        assert self.plan.checkpoint is not None
        best = {_BEST + name: array for name, array in self.best.items()}
        meta = {"position": asdict(self.at), "identity": self.plan.identity}
        write_tensors(self.plan.checkpoint, {**self._read(), **best}, meta)
        self._saved = time.monotonic()

    def resume(self) -> None:
        """Go on from the checkpoint. Raises InputError where it is of another training."""
        path = self.plan.checkpoint
        assert path is not None
        tensors, meta = read_tensors(path)
        if "position" not in meta:
            raise InputError(f"{path} is no checkpoint")
        for key, value in self.plan.identity.items():
            if meta["identity"].get(key) != value:
                was = meta["identity"].get(key)
                raise InputError(f"{path} is of another training: {key} was {was}, now is {value}")
        best = {n.removeprefix(_BEST): a for n, a in tensors.items() if n.startswith(_BEST)}
        self._write({n: a for n, a in tensors.items() if not n.startswith(_BEST)})
        self.best = best
        position = meta["position"]
        self.at = Position(**{**position, "history": History(**position["history"])})

    def _read(self) -> dict[str, np.ndarray]:
        return {name: self.states.read(name) for name in self.names}

    def _write(self, tensors: dict[str, np.ndarray]) -> None:
        for name in self.names:
            if name not in tensors or tensors[name].shape != self.states.regions[name].spec.shape:
                raise InputError(f"{self.plan.checkpoint} has no {name} of this network's shape")
            self.states.write(name, tensors[name])

    # --- a loss that is no number ----------------------------------------------------------------

    def _snapshot(self) -> None:
        self._kept = self._read(), self.at.done
        self._snapshot_time = time.perf_counter()

    def _find_fault(self, order: np.ndarray) -> None:
        """Do the work since the snapshot again, ever closer to the step at fault."""
        for steps in (self.loop.steps, 1):
            kept, self.at.done = self._kept
            for name, array in kept.items():
                self.states.write(name, array)
            while self.at.done < len(order):
                self._snapshot()
                self.at.done += self.loop.run(
                    self.samples, self._place(order), steps, self.optimizer
                )
                if not np.isfinite(self.states.read(TOTALS)[0]):
                    break
        kept, self.at.done = self._kept
        for name, array in kept.items():
            self.states.write(name, array)
        chosen = order[self.at.done : self.at.done + self.loop.batch]
        self.diagnose(self.samples, self._place(order), chosen)
