"""SqueezeNet with a new last layer learns to tell birds from cats and dogs, on a few photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from golden import DATA, needs_data
from harness import device

import clnet
from clnet.images import open_image

#: Photos to learn from and others to be judged by: birds, then cats and dogs.
TRAINED = (
    ("coral/parrot.jpg", "coral/owl.jpg", "coral/bird_segmentation.bmp"),
    ("voc/000542.jpg", "voc/001763.jpg", "coral/cat_720p.jpg", "coral/pets.jpg"),
)
JUDGED = (("darknet/eagle.jpg",), ("voc/001150.jpg", "caffe/cat.jpg"))
MEANS = np.array([104, 117, 123], np.float32)  # of blue, green and red


def crops(classes: Sequence[Sequence[str]], each: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """``each`` squares of a class, of three quarters of a photo's shorter side or more."""
    rng = np.random.default_rng(1)
    x, y = [], []
    for label, names in enumerate(classes):
        for name in names:
            photo = open_image(DATA / "images" / name)
            for _ in range(each // len(names)):
                size = int(min(photo.size) * rng.uniform(0.75, 1))
                left, top = (int(rng.integers(0, extent - size + 1)) for extent in photo.size)
                crop = photo.resize((side, side), box=(left, top, left + size, top + size))
                pixels = np.asarray(crop, np.float32)[:, :, ::-1] - MEANS
                x.append(pixels.transpose(2, 0, 1))
                y.append(label)
    return np.stack(x), np.array(y)


@needs_data
def test_a_new_last_layer_learns_what_is_on_other_photos() -> None:
    pytest.importorskip("PIL")
    files = DATA / "models_squeezenet11"
    net = clnet.models.imported(
        files / "squeezenet_v1.1_deploy.prototxt",
        files / "squeezenet_v1.1_derived_fp16.caffemodel", classes=2,
    )  # fmt: skip
    net.freeze("conv1.*", "fire*")
    assert set(net.parameters) - net.frozen == {"conv10.weight", "conv10.bias"}
    before = {name: array.copy() for name, array in net.parameters.items()}
    x, y = crops(TRAINED, 24, net.input_shape[-1])
    unseen = crops(JUDGED, 12, net.input_shape[-1])
    with clnet.Trainer(net, optimizer=clnet.optimizers.Adam(1e-3), device=device()) as trainer:
        blind = trainer.evaluate(*unseen, 8)["accuracy"]
        history = trainer.fit(x, y, 8, 6, unseen)
        after = trainer.state_dict()
    assert blind < 0.75
    assert history.validation_accuracy[-1] >= 0.9
    for name, array in before.items():
        assert (name in net.frozen) == np.array_equal(after[name], array), name
