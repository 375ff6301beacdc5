"""Augmentation: geometry against plain NumPy, and that it repeats itself."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate import evaluate
from harness import device

import clnet
from clnet.errors import InputError
from clnet.graph import GraphBuilder
from clnet.models.layers import Conv, Dense, Flatten

SIZE = (9, 9)


def augmented(augmentation: clnet.Augmentation, x: np.ndarray, epoch: int = 0) -> np.ndarray:
    build = GraphBuilder()
    build.output(augmentation.append(build, build.input("x", x.shape)), "y")
    made = augmentation.inputs(7, epoch, np.arange(len(x)), x.shape[-2:])
    return evaluate(build.graph, {"x": x, **made})["y"]


def dots(count: int = 50) -> np.ndarray:
    """A bright dot two pixels right of the middle."""
    x = np.zeros((count, 1, *SIZE), np.float32)
    x[:, 0, 4, 6] = 1
    return x


def centres(y: np.ndarray) -> np.ndarray:
    """Row and column of each image's brightness, from the middle."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] - 4
    weight = y[:, 0] / y[:, 0].sum((1, 2), keepdims=True)
    return np.stack([(weight * rows).sum((1, 2)), (weight * columns).sum((1, 2))], 1)


def test_rotation_keeps_the_distance_and_stays_within_its_limits() -> None:
    found = centres(augmented(clnet.Augmentation(rotation=30), dots()))
    np.testing.assert_allclose(np.hypot(*found.T), 2, atol=0.25)
    angles = np.degrees(np.arctan2(*found.T))
    assert np.abs(angles).max() < 32 and angles.min() < -15 and angles.max() > 15


def test_scale_moves_from_the_middle() -> None:
    found = centres(augmented(clnet.Augmentation(scale=0.25), dots()))
    assert 1.4 < found[:, 1].min() < 1.8 < 2.2 < found[:, 1].max() < 2.6
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-6)


def test_shift_moves_everything() -> None:
    found = centres(augmented(clnet.Augmentation(shift=1.5), dots())) - [0, 2]
    assert np.abs(found).max() <= 1.5 and np.abs(found).max() > 1


def test_flip_mirrors_half_of_them() -> None:
    found = centres(augmented(clnet.Augmentation(flip=True), dots(200)))
    assert set(np.round(found[:, 1]).tolist()) == {-2, 2}
    assert 60 < (found[:, 1] < 0).sum() < 140


def test_noise_has_its_deviation() -> None:
    y = augmented(clnet.Augmentation(noise=0.3), np.zeros((50, 2, 8, 8), np.float32))
    assert y.std() == pytest.approx(0.3, rel=0.05) and abs(y.mean()) < 0.02


def test_elastic_distortion_is_smooth_and_different_for_each() -> None:
    ramp = np.broadcast_to(np.arange(28, dtype=np.float32), (20, 1, 28, 28)).copy()
    y = augmented(clnet.Augmentation(elastic=34, smoothness=4), ramp)
    moved = (y - ramp)[:, 0, 6:-6, 6:-6]
    assert 0.3 < moved.std() < 4
    assert np.abs(np.diff(moved, axis=1)).max() < 1.5
    assert len({m.tobytes() for m in moved}) == 20


def test_the_same_sample_and_epoch_give_the_same() -> None:
    augmentation = clnet.Augmentation(rotation=10, shift=1, elastic=8, noise=0.1)
    first, again, later = (augmented(augmentation, dots(4), e) for e in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, later)


def test_networks_train_on_it() -> None:
    net = clnet.Sequential([Conv(2, 3), Flatten(), Dense(2)], (1, *SIZE))
    x, y = dots(24), np.arange(24) % 2
    weights = []
    for augmentation in (None, clnet.Augmentation(elastic=8, noise=0.1)):
        for _ in range(2):
            with clnet.Trainer(net, device=device()) as t:
                t.fit(x, y, 4, 2, augmentation=augmentation)
                weights.append(t.state_dict()["dense1.weight"])
    assert np.array_equal(weights[0], weights[1]) and np.array_equal(weights[2], weights[3])
    assert not np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize(
    "options", [{"rotation": -1}, {"scale": 1}, {"noise": float("nan")}, {"smoothness": 0}]
)
def test_numbers_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        clnet.Augmentation(**options)


def test_only_images_are_warped() -> None:
    net = clnet.Sequential([Dense(2)], (4,))
    with clnet.Trainer(net, device=device()) as t, pytest.raises(InputError, match="images"):
        t.fit(np.zeros((4, 4)), np.zeros(4, int), augmentation=clnet.Augmentation(rotation=5))
