"""Solver prototxt: how Caffe trains a net."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.text import read_text
from clnet.importers.names import shown

#: ``type`` of today, by the numbers of ``solver_type`` of old.
_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
_OLD_TYPES = ("SGD", "NESTEROV", "ADAGRAD", "RMSPROP", "ADADELTA", "ADAM")


@dataclass(frozen=True)
class Solver:
    """What a solver file says, with Caffe's defaults. ``rate`` gives the learning rate of an
    iteration."""

    net: Path  #: as the file names it
    type: str
    rate: Callable[[int], float]
    momentum: float
    momentum2: float
    rms_decay: float
    delta: float
    weight_decay: float
    clip_gradients: float | None
    iterations: int
    seed: int
    batches: int  #: whose gradients make one step (``iter_size``)


def read_solver(path: Path) -> Solver:
    """Read a solver prototxt. Raises ModelError naming what is wrong with it."""
    try:
        message = read_text(path)
        nets = [f for f in ("net", "train_net") if message.has(f)]
        if not nets:
            raise ModelError("not a solver: it names no net")
        if message.text("regularization_type", "L2") != "L2":
            raise UnsupportedError("a regularization_type other than L2")
        clip = message.real("clip_gradients", -1.0)
        return Solver(
            Path(message.text(nets[0])),
            _type(message),
            _policy(message),
            message.real("momentum", 0.0),
            message.real("momentum2", 0.999),
            message.real("rms_decay", 0.99),
            message.real("delta", 1e-8),
            message.real("weight_decay", 0.0),
            clip if clip > 0 else None,
            message.integer("max_iter", None, 1),
            max(0, message.integer("random_seed", 0)),
            message.integer("iter_size", 1, 1),
        )
    except ModelError as error:
        raise error.located(file=path) from error


def is_solver(path: Path) -> bool:
    """Whether a prototxt is a solver rather than a net."""
    message = read_text(path)
    return message.has("base_lr") or message.has("train_net") or message.has("lr_policy")


def find_net(solver: Path, net: Path) -> Path:
    """The net's file: as named, from where the solver is or from any folder above it, since Caffe's
    own are named from its root; else the file of that name beside the solver."""
    places = [folder / net for folder in (solver.parent, *solver.resolve().parents)]
    for place in (*places, solver.parent / net.name):
        if place.is_file():
            return place
    raise ModelError(f"the net {shown(str(net))} is not there, nor beside it", file=solver)


def _type(message: Message) -> str:
    old = message.choice("solver_type", "SGD", _OLD_TYPES)
    kind = message.text("type", _TYPES[_OLD_TYPES.index(old)])
    if kind not in _TYPES:
        raise UnsupportedError(f"the type {shown(kind)} is none of {', '.join(_TYPES)}")
    return kind


def _policy(message: Message) -> Callable[[int], float]:
    """The learning rate as a function of the iteration."""
    base, policy = message.real("base_lr"), message.text("lr_policy", "fixed")
    gamma, power = message.real("gamma", 0.0), message.real("power", 0.0)
    steps, last = message.integers("stepvalue", 0), message.integer("max_iter", None, 1)
    size = message.integer("stepsize", 0)
    if policy in ("step", "sigmoid") and size < 1:
        raise ModelError(f"lr_policy {shown(policy)} needs a stepsize")
    policies: dict[str, Callable[[int], float]] = {
        "fixed": lambda i: base,
        "step": lambda i: base * gamma ** (i // size),
        "exp": lambda i: base * gamma**i,
        "inv": lambda i: base * (1 + gamma * i) ** -power,
        "multistep": lambda i: base * gamma ** sum(i >= s for s in steps),
        "poly": lambda i: base * max(0.0, 1 - i / last) ** power,
        "sigmoid": lambda i: base / (1 + math.exp(min(700.0, -gamma * (i - size)))),
    }
    if policy not in policies:
        raise UnsupportedError(f"lr_policy {shown(policy)} is none of {', '.join(policies)}")
    return policies[policy]
