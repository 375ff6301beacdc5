"""How a cfg's [net] section trains its network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Graph
from clnet.importers.darknet.cfg import Section, read_cfg
from clnet.importers.darknet.initial import InitialWeights
from clnet.importers.darknet.reader import build_network
from clnet.importers.darknet.registry import DETECTORS
from clnet.importers.darknet.weights import Weights, WeightsFile
from clnet.importers.names import shown


@dataclass(frozen=True)
class TrainingCfg:
    """What a cfg says, with Darknet's defaults. ``rate`` gives the learning rate of a batch;
    ``angle`` is in degrees."""

    graph: Graph
    loss: str
    batch_size: int
    rate: Callable[[int], float]
    momentum: float
    decay: float
    adam: tuple[float, float, float] | None  #: B1, B2 and epsilon
    iterations: int
    angle: float
    flip: bool


def training_cfg_shape(path: Path) -> tuple[int, ...]:
    """The shape [C, H, W], or [inputs], of the samples that a cfg trains on."""
    net = read_cfg(path)[0]
    sizes = tuple(net.integer(key, 0) for key in ("channels", "height", "width"))
    return sizes if all(sizes) else (net.integer("inputs", math.prod(sizes)),)


def read_training_cfg(path: Path, weights: Path | None = None, seed: int = 0) -> TrainingCfg:
    """Read a cfg to train its network, with weights made as Darknet makes them, or those of a file.
    Raises ModelError naming layer and reason."""
    try:
        sections = read_cfg(path)
        loss = _loss(sections)
        source: Weights = WeightsFile(weights) if weights else InitialWeights(seed)
        graph = build_network(sections, path.stem, source, {}, training=True)
        return _training(sections[0], graph, loss)
    except ModelError as error:
        raise error.located(file=path) from error


def _training(net: Section, graph: Graph, loss: str) -> TrainingCfg:
    adam = None
    if net.flag("adam"):
        adam = net.real("B1", 0.9), net.real("B2", 0.999), net.real("eps", 1e-7)
    return TrainingCfg(
        graph,
        loss,
        net.integer("batch", 1, 1),
        _policy(net),
        net.real("momentum", 0.9),
        net.real("decay", 0.0001),
        adam,
        net.integer("max_batches", 0),
        net.real("angle", 0.0),
        net.flag("flip"),
    )


def _loss(sections: Sequence[Section]) -> str:
    """Softmax is trained by cross-entropy; any other end by squares or absolute differences."""
    layers = [s for s in sections[1:] if s.kind not in ("dropout", "silence", "empty")]
    detectors = [s.kind for s in layers if s.kind in DETECTORS]
    if detectors:
        raise UnsupportedError(f"training of {shown(detectors[0])} layers is not supported")
    cost = layers[-1] if layers[-1].kind == "cost" else None
    last = layers[-2] if cost is not None and len(layers) > 1 else layers[-1]
    if last.kind in ("softmax", "soft"):
        return "cross_entropy"
    kind = cost.text("type", "sse") if cost is not None else "sse"
    if kind not in ("sse", "l1"):
        raise UnsupportedError(f"a cost of type {shown(kind)} is not supported")
    return "mse" if kind == "sse" else "l1"


def _policy(net: Section) -> Callable[[int], float]:
    """The learning rate as a function of the batch's number, counted from 1 as Darknet does."""
    base, policy = net.real("learning_rate", 0.001), net.text("policy", "constant")
    burn_in, power = net.integer("burn_in", 0), net.real("power", 4.0)
    gamma, scale = net.real("gamma", 1.0), net.real("scale", 1.0)
    step, last = net.integer("step", 1, 1), net.integer("max_batches", 0)
    steps, scales = net.integers("steps"), net.reals("scales")
    if policy == "steps" and (not steps or len(steps) != len(scales)):
        raise ModelError(f"{len(steps)} steps and {len(scales)} scales", node="net")
    if policy == "poly" and not last:
        raise ModelError("policy=poly needs max_batches", node="net")
    changes = list(zip(steps, scales, strict=False))
    policies: dict[str, Callable[[int], float]] = {
        "constant": lambda i: base,
        "step": lambda i: base * scale ** (i // step),
        "steps": lambda i: base * math.prod(f for s, f in changes if i >= s),
        "exp": lambda i: base * gamma**i,
        "poly": lambda i: base * max(0.0, 1 - i / last) ** power,
        "sig": lambda i: base / (1 + math.exp(min(700.0, gamma * (i - step)))),
    }
    if policy not in policies:
        raise UnsupportedError(f"policy={shown(policy)} is none of {', '.join(policies)}")
    after = policies[policy]

    def rate(iteration: int) -> float:
        number = iteration + 1
        return base * (number / burn_in) ** power if number < burn_in else after(number)

    return rate
