"""Every layer trains: one network that has them all, and U-Net pixel by pixel."""

from __future__ import annotations

import numpy as np
from harness import device

import clnet
from clnet.models.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Branches,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    GlobalAveragePool,
    MaxPool,
    Residual,
    Softmax,
    Upsample,
)


def blobs(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, with a bright square left or right of the middle, and where it is."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, 1, size, size)).astype(np.float32)
    mask = np.zeros((count, size, size), int)
    for i in range(count):
        row, column = rng.integers(1, size // 2), i % 2 * size // 2
        mask[i, row : row + 3, column : column + 3] = 1
    return x + 3 * mask[:, None], mask


def test_a_network_of_all_layers_learns() -> None:
    relu6 = Activation("Clip", (("min", 0.0), ("max", 6.0)))
    net = clnet.Sequential(
        [
            Conv(4, 3, padding=1), BatchNorm(), Activation("Relu"),
            Residual([Conv(4, 3, padding=1, groups=4, bias=False), BatchNorm(), relu6]),
            Branches([MaxPool(2)], [AveragePool(2)], [Conv(4, 2, 2)]),
            ConvTranspose(4, 2, 2), Activation("Tanh"), MaxPool(4), Upsample(2),
            Dropout(0.1), Conv(6, 2, 2), BatchNorm(), GlobalAveragePool(), Dense(2), Softmax(),
        ],
        (1, 8, 8),
    )  # fmt: skip
    x, _ = blobs(64, 8)
    y = np.arange(64) % 2
    with clnet.Trainer(net, optimizer=clnet.optimizers.Adam(0.01), device=device()) as t:
        history = t.fit(x, y, 8, 8)
        after = t.state_dict()
        assert t.evaluate(x, y)["accuracy"] >= 0.9
    assert history.loss[-1] < 0.6 * history.loss[0]
    assert all(not np.array_equal(net.parameters[n], after[n]) for n in after), "running ones, too"


def test_unet_learns_pixels() -> None:
    net = clnet.models.unet((1, 8, 8), base=4, depth=1, batch_norm=True)
    x, mask = blobs(32, 8)
    with clnet.Trainer(net, optimizer=clnet.optimizers.Adam(0.02), device=device()) as t:
        history = t.fit(x, mask, 4, 6)
    assert history.accuracy[-1] > 0.95
    assert history.loss[-1] < 0.5 * history.loss[0]
