"""The graphs that a Trainer runs: a training step or an evaluated batch, and the network alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clnet.autodiff import gradients
from clnet.graph import Graph, GraphBuilder
from clnet.ops.gather import Gather
from clnet.ops.update import ADD, Update
from clnet.training.losses import find_loss
from clnet.training.network import Network
from clnet.training.optimizers import Optimizer

#: States beside the weights: sums over the batches since they were cleared, and the next batch.
TOTALS, CURSOR = "totals", "cursor"


def states_of(network: Network) -> dict[str, np.ndarray]:
    """First values of all that stays on the device between steps."""
    return {
        **network.parameters,
        TOTALS: np.zeros(3, np.float32),
        CURSOR: np.zeros((), np.int32),
    }


def step_graph(
    network: Network, loss: str, optimizer: Optimizer | None, steps: int, batch: int
) -> Graph:
    """Takes the next of ``steps`` batches that lie on the device, runs the network and its loss,
    and adds to the totals; with an optimizer also all gradients and the updates of the weights.

    Inputs: samples [steps, batch, *S], labels [steps, batch, *P] and, with an optimizer, the
    scalar learning_rate. The host writes many batches at once and then only launches.
    """
    build = GraphBuilder("train" if optimizer else "evaluate")
    samples = build.input("samples", (steps, batch, *network.input_shape))
    labels = build.input("labels", (steps, batch, *network.output_shape[1:]), "int32")
    states = {name: build.state(array, name) for name, array in states_of(network).items()}
    weights = {name: states[name] for name in network.parameters}
    cursor = states[CURSOR]

    x = build.add(Gather(0), samples, cursor)
    y = build.add(Gather(0), labels, cursor)
    result = find_loss(loss)(build, network.apply(build, x, weights), y)
    if optimizer:
        rate = build.input("learning_rate", ())
        found = gradients(build, result.value, list(weights.values()))
        for weight, gradient in found.items():  # behind all that read the old weights
            optimizer.update(build, weight, gradient, rate)
    build.add(Update(ADD), states[TOTALS], result.totals, name="add to totals")
    build.add(Update(ADD), cursor, build.constant(np.int32(1)), name="next batch")
    return build.graph


def network_graph(
    network: Network, batch: int, weights: Mapping[str, np.ndarray] | None = None
) -> Graph:
    """The network from x [batch, *input_shape] to y: with ``weights`` as constants, or with its
    parameters as states."""
    build = GraphBuilder("network")
    x = build.input("x", (batch, *network.input_shape))
    if weights is None:
        values = {n: build.state(a, n) for n, a in network.parameters.items()}
    else:
        values = {n: build.constant(a, n) for n, a in weights.items()}
    build.output(network.apply(build, x, values), "y")
    return build.graph
