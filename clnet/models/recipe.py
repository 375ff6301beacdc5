"""Recipe: a network and how it is to be trained, as Caffe's and Darknet's files say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clnet.images import Normalization
from clnet.importers.caffe.solver import Solver, find_net, is_solver, read_solver
from clnet.importers.caffe.training import read_training_net, training_shape
from clnet.importers.darknet.training import read_training_cfg, training_cfg_shape
from clnet.models.imported import Imported
from clnet.models.network import TrainableNetwork
from clnet.training.augmentation import Augmentation
from clnet.training.caffe import CaffeSolver
from clnet.training.darknet import DarknetSGD
from clnet.training.optimizers import Adam, Optimizer
from clnet.training.schedules import Schedule

#: What a net without a solver is trained with.
_PLAIN = Solver(Path(), "SGD", lambda i: 0.01, 0.9, 0.999, 0.99, 1e-8, 0.0, None, 0, 0, 1)


@dataclass(frozen=True)
class Recipe:
    """``iterations`` is the number of batches, 0 where it is left open; ``normalization`` what
    pixels go through."""

    net: TrainableNetwork
    loss: str = "cross_entropy"
    optimizer: Optimizer = field(default_factory=Adam)
    batch_size: int = 64
    iterations: int = 0
    normalization: Normalization = field(default_factory=Normalization)
    augmentation: Augmentation | None = None

    def epochs(self, samples: int) -> int:
        """The epochs in which there are so many batches, at least 1."""
        return max(1, math.ceil(self.iterations / math.ceil(samples / self.batch_size)))


def caffe_files(path: Path) -> tuple[Path, Solver]:
    """The net of a solver and the solver; or, of a net, itself and what trains it then."""
    if not is_solver(path):
        return path, _PLAIN
    solver = read_solver(path)
    return find_net(path, solver.net), solver


def caffe_shape(path: Path) -> tuple[int, ...] | None:
    """The shape of the samples that a solver or net trains on, where the files tell."""
    return training_shape(caffe_files(path)[0])


def caffe_recipe(
    path: Path, input_shape: Sequence[int], weights: Path | None = None, seed: int = 0
) -> Recipe:
    """A solver's or a net's training, for samples of ``input_shape``. Raises ModelError."""
    net_path, solver = caffe_files(path)
    net = read_training_net(net_path, input_shape, weights, seed or solver.seed)
    network = Imported(net.graph, net.output)
    known = {n: f for n, f in net.multipliers.items() if n in network.parameters}
    for name, (rate, _) in known.items():
        if rate == 0:
            network.freeze(name.replace("[", "[[]"))
    for name in network.parameters:
        if name.startswith("BatchNorm "):  # its scale and bias are a Scale layer's to train
            known[name] = (0.0, 0.0)
    optimizer = CaffeSolver(
        solver.type, _by_step(solver.rate), solver.momentum, solver.momentum2, solver.rms_decay,
        solver.delta, solver.weight_decay, solver.clip_gradients,
        gradient_factor=_gradient_factor(net.loss, network.output_shape), multipliers=known,
    )  # fmt: skip
    means = tuple(reversed(net.means)) or (0.0,)  # Caffe's channels are blue, green, red
    return Recipe(
        network,
        net.loss,
        optimizer,
        net.batch_size * solver.batches,
        solver.iterations,
        Normalization(means, (net.scale,)),
        Augmentation(flip=True) if net.mirror else None,
    )


def darknet_recipe(path: Path, weights: Path | None = None, seed: int = 0) -> Recipe:
    """A cfg's training. Raises ModelError."""
    cfg = read_training_cfg(path, weights, seed)
    rate = _by_step(cfg.rate)
    optimizer: Optimizer
    if cfg.adam is not None:
        first, second, epsilon = cfg.adam
        optimizer = Adam(rate, betas=(first, second), epsilon=epsilon, weight_decay=cfg.decay)
    else:
        optimizer = DarknetSGD(rate, momentum=cfg.momentum, weight_decay=cfg.decay)
    augmentation = Augmentation(rotation=cfg.angle, flip=cfg.flip)
    return Recipe(
        Imported(cfg.graph),
        cfg.loss,
        optimizer,
        cfg.batch_size,
        cfg.iterations,
        augmentation=augmentation if augmentation.warps else None,
    )


def darknet_shape(path: Path) -> tuple[int, ...]:
    """The shape of the samples that a cfg trains on."""
    return training_cfg_shape(path)


def _by_step(rate: Callable[[int], float]) -> Schedule:
    return lambda epoch, step: rate(step)


def _gradient_factor(loss: str, output_shape: Sequence[int]) -> float:
    """Caffe's losses are sums over a sample, ours means over all elements; squares are halved."""
    if loss == "cross_entropy":
        return 1.0
    return math.prod(output_shape) * (0.5 if loss == "mse" else 1.0)
