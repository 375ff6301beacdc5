"""The graphs that a Trainer runs: a training step or an evaluated batch, and the network alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clnet.autodiff import gradients, recompute
from clnet.graph import Graph, GraphBuilder, Value
from clnet.ops.elementwise import elementwise
from clnet.ops.formula import Term, trace
from clnet.ops.gather import Gather
from clnet.ops.reduce import Reduce
from clnet.ops.update import ADD, Update
from clnet.training.losses import find_loss
from clnet.training.mode import to_training_mode
from clnet.training.network import Network
from clnet.training.optimizers import Optimizer

#: States beside the weights: sums over the batches since they were cleared, the next batch, the
#: steps that were trained, and what random numbers depend on beside them.
TOTALS, CURSOR, STEP, SEED = "totals", "cursor", "step", "seed"
#: What a feed brings: batches, and numbered ("scalar0") what an optimizer takes from the host.
SAMPLES, TARGETS, SCALAR = "samples", "targets", "scalar"


def states_of(network: Network, optimizer: Optimizer) -> dict[str, np.ndarray]:
    """First values of all that stays on the device between steps, by name: the weights, each
    one's slots as "conv1.weight:momentum", and the states above."""
    slots = {
        slot_name(name, slot): np.zeros_like(network.parameters[name])
        for name in trained(network)
        for slot in optimizer.slots
    }
    return {
        **network.parameters,
        **slots,
        TOTALS: np.zeros(3, np.float32),
        CURSOR: np.zeros((), np.int32),
        STEP: np.zeros((), np.int32),
        SEED: np.zeros((), np.uint32),
    }


def buffer_name(kind: str, batch: int, name: str) -> str:
    """The state in which a kind of steps finds its batches."""
    return f"{kind} {batch}:{name}"


def trained(network: Network) -> list[str]:
    """The parameters that gradients move."""
    return [name for name in network.parameters if name not in network.frozen]


def slot_name(parameter: str, slot: str) -> str:
    """The state in which an optimizer keeps a slot of a parameter."""
    return f"{parameter}:{slot}"


def step_graph(
    network: Network,
    loss: str,
    optimizer: Optimizer,
    steps: int,
    batch: int,
    *,
    train: bool,
    checkpoint: bool = False,
) -> Graph:
    """Takes the next of ``steps`` batches that lie on the device, runs the network and its loss,
    and adds to the totals; to ``train`` also all gradients and the updates of the weights.

    The batches are states, named by ``buffer_name``: samples [steps, batch, *S], targets [steps,
    batch, *T] and, to train, a row [steps] for each of ``optimizer.scalars``. A feed fills them,
    and then the host only launches. With ``checkpoint``, most activations are computed twice rather
    than kept.
    """
    chosen = find_loss(loss)
    build = GraphBuilder("train" if train else "evaluate")

    def buffer(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Value:
        return build.state(np.zeros(shape, dtype), buffer_name(build.graph.name, batch, name))

    samples = buffer(SAMPLES, (steps, batch, *network.input_shape))
    target_shape = chosen.target_shape(network.output_shape)
    targets = buffer(TARGETS, (steps, batch, *target_shape), chosen.dtype)
    first = states_of(network, optimizer)
    states = {name: build.state(array, name) for name, array in first.items()}
    weights = {name: states[name] for name in network.parameters}
    cursor = states[CURSOR]

    x = build.add(Gather(0), samples, cursor)
    y = build.add(Gather(0), targets, cursor)
    output = network.apply(build, x, weights)
    moving = [weights[name] for name in trained(network)]
    if train:
        to_training_mode(build, set(moving), states[SEED], states[STEP])
    result = chosen.append(build, output, y)
    forward = len(build.graph.nodes)
    one = build.constant(np.int32(1))
    if train:
        found = gradients(build, result.value, moving)
        count = len(optimizer.scalars(0.0, 0))
        rows = [buffer(f"{SCALAR}{i}", (steps,)) for i in range(count)]
        scalars = [build.add(Gather(0), row, cursor) for row in rows]
        # The updates stand behind all that reads the old weights.
        for weight, gradient in clipped(build, optimizer, found).items():
            slots = [states[slot_name(weight.name, slot)] for slot in optimizer.slots]
            append_update(build, optimizer.of(weight.name), weight, gradient, slots, scalars)
        build.add(Update(ADD), states[STEP], one, name="count the step")
        if checkpoint:
            recompute(build.graph, forward)
    build.add(Update(ADD), states[TOTALS], result.totals, name="add to totals")
    build.add(Update(ADD), cursor, one, name="next batch")
    return build.graph


def append_update(
    build: GraphBuilder, optimizer: Optimizer, weight: Value, gradient: Value,
    slots: list[Value], scalars: list[Value],
) -> None:  # fmt: skip
    """One step of an optimizer for one weight, as a single Update of it and its slots."""
    own = 1 + len(slots)

    def step(*terms: Term) -> tuple[Term, ...]:
        kept, (slope, *given) = terms[:own], terms[own:]
        return optimizer.step(kept[0], slope, *kept[1:], *given)

    update = Update(*trace(step, own + 1 + len(scalars)))
    build.add(update, weight, *slots, gradient, *scalars, name=f"{weight.name}:update")


def clipped(
    build: GraphBuilder, optimizer: Optimizer, gradients: Mapping[Value, Value]
) -> dict[Value, Value]:
    """The gradients within the optimizer's limits: elements first, then the norm of all.

    Pascanu et al., "On the difficulty of training recurrent neural networks" (2013).
    """
    limited = dict(gradients)
    if optimizer.clip_value is not None:
        limit = elementwise("Clip", min=-optimizer.clip_value, max=optimizer.clip_value)
        limited = {weight: build.add(limit, g) for weight, g in limited.items()}
    if optimizer.clip_norm is None:
        return limited
    total: Value | None = None
    for g in limited.values():
        square = build.add(Reduce("SumSquare", tuple(range(g.spec.rank)), keepdims=False), g)
        total = square if total is None else build.add(elementwise("Add"), total, square)
    norm = build.add(elementwise("Sqrt"), total)
    most = build.constant(np.float32(optimizer.clip_norm))
    factor = build.add(elementwise("Div"), most, build.add(elementwise("Max"), norm, most))
    return {weight: build.add(elementwise("Mul"), g, factor) for weight, g in limited.items()}


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
