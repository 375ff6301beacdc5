"""Dropout's random numbers: the published ones, and other ones for every step, seed and layer."""

from __future__ import annotations

import numpy as np
import pytest

from clnet.ops.dropout import Dropout
from clnet.ops.philox import philox


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # known answers of Random123, the authors' implementation
        ((0, 0), 0, (0xFF1DAE59, 0x6CD10DF2)),
        ((0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, (0x2C3F628B, 0xAB4FD7AD)),
        ((0x243F6A88, 0x85A308D3), 0x13198A2E, (0xDD7CE038, 0xF62A4C12)),
    ],
)
def test_philox_gives_the_published_numbers(counter, key: int, expected) -> None:
    assert tuple(philox(np.array(counter, np.uint32), key)) == expected


def test_every_step_seed_and_layer_drops_its_own_share() -> None:
    x = np.ones(20000, np.float32)
    settings = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    kept = [
        Dropout(0.3, layer).reference(x, np.uint32(seed), np.int32(step))[0] > 0
        for seed, step, layer in settings
    ]
    for i, mask in enumerate(kept):
        assert mask.mean() == pytest.approx(0.7, abs=0.02)
        for other in kept[:i]:  # independent: both keep 0.7 * 0.7
            assert (mask & other).mean() == pytest.approx(0.49, abs=0.02)
