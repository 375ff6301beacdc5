"""A hundred steps give the weights that PyTorch gives."""

from __future__ import annotations

import numpy as np
import pytest
from harness import device

import clnet
from clnet.models.layers import Activation, Conv, Dense, Flatten, MaxPool, Softmax
from clnet.runtime.states import States
from clnet.training.data import Samples
from clnet.training.loop import Loop, Place
from clnet.training.losses import find_loss
from clnet.training.step import states_of, step_graph

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

STEPS, BATCH, RATE = 100, 4, 0.01
OPTIMIZERS = {
    "SGD": (clnet.optimizers.SGD(RATE), lambda p: torch.optim.SGD(p, RATE)),
    "momentum": (
        clnet.optimizers.SGD(RATE, momentum=0.9, weight_decay=1e-3),
        lambda p: torch.optim.SGD(p, RATE, momentum=0.9, weight_decay=1e-3),
    ),
    "Nesterov": (
        clnet.optimizers.SGD(RATE, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, RATE, momentum=0.9, nesterov=True),
    ),
    "RMSprop": (
        clnet.optimizers.RMSprop(1e-3, momentum=0.5),
        lambda p: torch.optim.RMSprop(p, 1e-3, momentum=0.5),
    ),
    "Adam": (clnet.optimizers.Adam(1e-3), lambda p: torch.optim.Adam(p, 1e-3)),
    "AdamW": (
        clnet.optimizers.AdamW(1e-3, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=0.1),
    ),
}


def network() -> clnet.Sequential:
    layers = [
        Conv(4, 3), Activation("Tanh"), MaxPool(2), Conv(6, 3, padding=1, stride=2),
        Activation("Relu"), Flatten(), Dense(10), Activation("Tanh"), Dense(5), Softmax(),
    ]  # fmt: skip
    return clnet.Sequential(layers, input_shape=(2, 10, 10))


def logits(x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    functional = torch.nn.functional
    x = functional.conv2d(x, w["conv1.weight"], w["conv1.bias"]).tanh()
    x = functional.max_pool2d(x, 2)
    x = functional.conv2d(x, w["conv2.weight"], w["conv2.bias"], stride=2, padding=1).relu()
    x = functional.linear(x.flatten(1), w["dense1.weight"], w["dense1.bias"]).tanh()
    return functional.linear(x, w["dense2.weight"], w["dense2.bias"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weights_after_a_hundred_steps_are_pytorchs(name: str) -> None:
    ours, theirs = OPTIMIZERS[name]
    net = network()
    rng = np.random.default_rng(1)
    x = rng.standard_normal((STEPS, BATCH, *net.input_shape)).astype(np.float32)
    y = rng.integers(0, 5, (STEPS, BATCH))

    weights = {n: torch.tensor(a, requires_grad=True) for n, a in net.parameters.items()}
    optimizer = theirs(list(weights.values()))
    for inputs, labels in zip(torch.from_numpy(x), torch.from_numpy(y), strict=True):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits(inputs, weights), labels).backward()
        optimizer.step()

    states = States(device(), states_of(net, ours))
    graph = step_graph(net, "cross_entropy", ours, STEPS, BATCH, train=True)
    loop = Loop(graph, STEPS, BATCH, device(), states)
    samples = Samples(x.reshape(-1, *net.input_shape), y.reshape(-1), find_loss("cross_entropy"))
    loop.run(samples, Place(np.arange(len(samples))), STEPS, ours)
    for n, weight in weights.items():
        np.testing.assert_allclose(states.read(n), weight.detach().numpy(), atol=1e-4, err_msg=n)
    loop.release()
    states.release()
