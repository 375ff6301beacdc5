"""What a network does otherwise in training: dropout, and the statistics of the batch."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate import evaluate

from clnet.graph import GraphBuilder
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.batch_statistics import BatchNormalizationTraining
from clnet.ops.dropout import Dropout
from clnet.training.mode import to_training_mode

RNG = np.random.default_rng(0)
CHANNELS = {name: RNG.uniform(0.5, 1.5, 3).astype(np.float32)
            for name in ("scale", "bias", "mean", "var")}  # fmt: skip


def network(frozen: bool) -> GraphBuilder:
    build = GraphBuilder()
    x = build.input("x", (4, 3, 5))
    states = {name: build.state(array, name) for name, array in CHANNELS.items()}
    y = build.add(Dropout(0.5), build.add(BatchNormalization(), x, *states.values()))
    build.output(build.add(Dropout(0.5), y), "y")
    seed, step = build.state(np.uint32(1), "seed"), build.state(np.int32(2), "step")
    trained = set() if frozen else {states["scale"], states["bias"]}
    to_training_mode(build, trained, seed, step)
    return build


def test_running_statistics_move_towards_the_batchs() -> None:
    build = network(frozen=False)
    updates = {node.inputs[0].name: node.output for node in build.graph.nodes[-2:]}
    for name, value in updates.items():
        build.output(value, f"new {name}")
    x = RNG.standard_normal((4, 3, 5)).astype(np.float32)
    found = evaluate(build.graph, {"x": x})
    mean, var = x.mean((0, 2)), x.var((0, 2), ddof=1)
    np.testing.assert_allclose(found["new mean"], 0.9 * CHANNELS["mean"] + 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(found["new var"], 0.9 * CHANNELS["var"] + 0.1 * var, rtol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_frozen_layer_normalises_as_it_predicts(frozen: bool) -> None:
    kinds = [type(node.op) for node in network(frozen).graph.nodes]
    assert (BatchNormalization in kinds) == frozen
    assert (BatchNormalizationTraining in kinds) != frozen


def test_every_dropout_drops_other_elements() -> None:
    build = network(frozen=True)
    drops = [node.op for node in build.graph.nodes if isinstance(node.op, Dropout)]
    assert [op.layer for op in drops] == [0, 1]
    y = evaluate(build.graph, {"x": np.ones((4, 3, 5), np.float32)})["y"]
    assert 0.05 < (y == 0).mean() < 0.95
