"""Tells which layer is at fault where a loss is no number."""

from __future__ import annotations

import numpy as np

from clnet.errors import TrainingError
from clnet.graph import GraphBuilder
from clnet.runtime.states import States
from clnet.session.compile import compile_graph
from clnet.training.data import Samples
from clnet.training.loop import Place
from clnet.training.network import Network


def diagnose(
    network: Network, states: States, samples: Samples, place: Place, chosen: np.ndarray
) -> None:
    """Raise TrainingError naming the sample, and the first weight or layer's output that is not
    finite, with the weights as they are before the step."""
    where = f"epoch {place.epoch + 1}, sample {chosen[0]}"
    if len(chosen) > 1:
        where += f" and {len(chosen) - 1} more in its batch"
    raise TrainingError(
        f"the loss is no number in {where}: {_fault(network, states, samples.x[chosen])}"
    )


def _fault(network: Network, states: States, x: np.ndarray) -> str:
    for name in network.parameters:
        if not np.isfinite(states.read(name)).all():
            return f"{name} has grown beyond all numbers; a smaller learning rate may help"
    build = GraphBuilder("diagnosis")
    value = build.input("x", x.shape)
    values = {n: build.state(a, n) for n, a in network.parameters.items()}
    network.apply(build, value, values)
    layers: dict[str, str] = {}
    for node in build.graph.nodes:
        if node.output.spec.is_float:
            build.output(node.output, f"{len(layers)}")
            layers[f"{len(layers)}"] = node.name
    plan = compile_graph(build.graph, states.device, states=states)
    try:
        with plan.executable.map(plan.inputs["x"], write=True) as view:
            view[...] = x
        plan.executable.run()
        for number, layer in layers.items():
            with plan.executable.map(plan.outputs[number], write=False) as output:
                if not np.isfinite(output).all():
                    return f"the output of {layer} is the first that is not finite"
                largest = float(np.abs(output).max(initial=0))
    finally:
        plan.executable.release()
    return f"all layers are finite (the last reaches {largest:.3g}), the loss itself is not"
