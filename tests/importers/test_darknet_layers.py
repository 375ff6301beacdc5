"""Every type of layer on the device against Darknet's layers in NumPy, in networks made here."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from golden import assert_near
from harness import device
from importers import darknet_models as reference
from importers.darknet_models import header, random, write

import clnet

X = random(2, 3, 4, 5)  # two images, as one batch


def run(path: Path, x: np.ndarray = X) -> dict[str, np.ndarray]:
    with clnet.load(path, device(), input_shapes={"data": x.shape}) as session:
        return session(x)


def check(path: Path, expected: list[np.ndarray], x: np.ndarray = X) -> None:
    """The last layer gives ``expected`` for each image."""
    *_, got = run(path, x).values()
    assert_near(got.astype(np.float64), np.stack(expected), 2e-6)


@pytest.mark.parametrize(
    ("options", "geometry"),
    [
        ("filters=4\nsize=3\nstride=2\npad=1", {"stride": (2, 2), "pad": 1}),
        ("filters=6\nsize=3\ngroups=3\npadding=2", {"pad": 2, "groups": 3}),
        ("filters=4\nsize=2\nstride_x=2\nstride_y=1", {"stride": (1, 2)}),
        ("filters=4\nsize=3\npad=1\ndilation=2", {"pad": 2, "dilation": 2}),
        ("filters=4\nsize=4\npad=1", {"pad": 2}),
    ],
)
@pytest.mark.parametrize("normalized", [False, True])
def test_convolutional(tmp_path: Path, options: str, geometry: dict, normalized: bool) -> None:
    fields = dict(o.split("=") for o in options.split("\n"))
    filters, size = int(fields["filters"]), int(fields["size"])
    bias, weights = random(filters), random(filters, 3 // geometry.get("groups", 1), size, size)
    rest = [random(filters), random(filters), np.abs(random(filters)) / 50] if normalized else []
    cfg = f"[convolutional]\n{options}\nactivation=linear\nbatch_normalize={int(normalized)}"
    if normalized:
        rest[2][0] = 0  # what the epsilon is for
    path = write(tmp_path, cfg, bias, *rest, weights)
    sums = [reference.conv(x, weights, **geometry) for x in X]
    if normalized:
        check(path, [reference.normalize(y, bias, *rest) for y in sums])
    else:
        check(path, [y + bias.reshape(-1, 1, 1) for y in sums])


def test_flipped_weights_are_turned(tmp_path: Path) -> None:
    bias, weights = random(4), random(4, 3, 3, 3)
    cfg = "[conv]\nfilters=4\nsize=3\nflipped=1\nactivation=linear"
    path = write(tmp_path, cfg, bias, weights.reshape(4, -1).T)
    check(path, [reference.conv(x, weights) + bias.reshape(-1, 1, 1) for x in X])


@pytest.mark.parametrize(("kind", "taps", "pad"), [(1, (1, 2, 1), 1), (2, (1, 1), 0)])
def test_antialiasing_blurs_and_strides(tmp_path: Path, kind: int, taps: tuple, pad: int) -> None:
    blur = np.tile(np.outer(taps, taps) / sum(taps) ** 2, (3, 1, 1, 1))
    path = write(tmp_path, f"[maxpool]\nsize=2\nstride=2\nantialiasing={kind}")
    check(path, [
        reference.conv(reference.pool(x, 2, (1, 1), 1, False), blur, (2, 2), pad, 3) for x in X
    ])  # fmt: skip


@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_activation(tmp_path: Path, name: str) -> None:
    x = np.linspace(-9.03, 9.05, 60, dtype=np.float32).reshape(1, 3, 4, 5)
    wanted = np.vectorize(reference.ACTIVATIONS[name], otypes=[float])(x)
    check(write(tmp_path, f"[activation]\nactivation={name}"), list(wanted), x)


def test_activations_over_channels(tmp_path: Path) -> None:
    positive = np.maximum(X, 0)
    powers = {0: np.exp(X), 1: np.exp(X - X.max(1, keepdims=True))}
    for name, part in (
        ("normalize_channels", positive),
        ("normalize_channels_softmax", powers[0]),
        ("normalize_channels_softmax_maxval", powers[1]),
    ):
        path = write(tmp_path, f"[activation]\nactivation={name}")
        check(path, list(part / (part.sum(1, keepdims=True) + 1e-4)))


@pytest.mark.parametrize(
    ("options", "size", "stride", "padding"),
    [
        ("size=2\nstride=2", 2, (2, 2), 1),
        ("stride=3", 3, (3, 3), 2),
        ("size=2\nstride=1", 2, (1, 1), 1),
        ("size=3\nstride=2\npadding=1", 3, (2, 2), 1),
        ("size=5\nstride=1", 5, (1, 1), 4),
        ("size=3\nstride=1\npadding=0", 3, (1, 1), 0),
        ("size=3\nstride_x=1\nstride_y=2", 3, (2, 1), 2),
        ("size=4\nstride=1", 4, (1, 1), 3),
    ],
)
@pytest.mark.parametrize("kind", ["maxpool", "local_avgpool"])
def test_pooling(
    tmp_path: Path, kind: str, options: str, size: int, stride: tuple[int, int], padding: int
) -> None:
    path = write(tmp_path, f"[{kind}]\n{options}")
    average = kind != "maxpool"
    check(path, [reference.pool(x, size, stride, padding, average) for x in X])


def test_pooling_over_channels_and_over_everything(tmp_path: Path) -> None:
    x = random(2, 6, 4, 5)
    net = "[net]\nwidth=5\nheight=4\nchannels=6\n"
    path = write(tmp_path, f"{net}[maxpool]\nmaxpool_depth=1\nout_channels=2")
    check(path, list(np.stack([x[:, c::2].max(1) for c in (0, 1)], 1)), x)
    check(write(tmp_path, f"{net}[avgpool]"), list(x.mean((2, 3), keepdims=True)), x)


@pytest.mark.parametrize("transposed", [False, True])
def test_connected(tmp_path: Path, transposed: bool) -> None:
    bias, weights = random(7), random(7, 60)
    cfg = "[connected]\noutput=7\nactivation=leaky"
    start = header(1001, 0, 32) if transposed else None
    path = write(tmp_path, cfg, bias, weights.T if transposed else weights, start=start)
    y = X.reshape(2, -1).astype(np.float64) @ weights.T + bias
    check(path, list(np.where(y > 0, y, 0.1 * y)))


def test_connected_with_batch_normalisation_before_convolution(tmp_path: Path) -> None:
    """Its vector is an image of one pixel."""
    bias, weights, rest = random(7), random(7, 60), [random(7), random(7), np.abs(random(7))]
    kernels = random(2, 7, 1, 1)
    cfg = """[connected]
        output=7
        batch_normalize=1
        activation=linear
        [convolutional]
        filters=2
        activation=linear"""
    path = write(tmp_path, cfg, bias, weights, *rest, np.zeros(2), kernels)
    hidden = [reference.normalize(weights @ x.reshape(-1), bias, *rest) for x in X]
    check(path, [reference.conv(h.reshape(7, 1, 1), kernels) for h in hidden])


@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 1, 1), (2, 2, 0), (3, 2, 1)])
def test_local(tmp_path: Path, size: int, stride: int, pad: int) -> None:
    rows, columns = ((n + 2 * pad - size) // stride + 1 for n in (4, 5))
    bias, weights = random(4, rows, columns), random(rows * columns, 4, 3, size, size)
    cfg = f"[local]\nfilters=4\nsize={size}\nstride={stride}\npad={pad}\nactivation=linear"
    path = write(tmp_path, cfg, bias, weights)
    check(path, [reference.local(x, weights, stride, pad) + bias for x in X])


@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 2, 1), (4, 2, 0), (2, 3, 0)])
def test_deconvolutional(tmp_path: Path, size: int, stride: int, pad: int) -> None:
    bias, weights, rest = random(4), random(3, 4, size, size), random(3, 4)
    rest[2] = np.abs(rest[2])
    cfg = f"[deconvolutional]\nfilters=4\nsize={size}\nstride={stride}\npad={pad}"
    path = write(tmp_path, f"{cfg}\nactivation=linear", bias, weights)
    sums = [reference.deconv(x, weights, stride, size // 2 if pad else 0) for x in X]
    check(path, [y + bias.reshape(-1, 1, 1) for y in sums])
    path = write(tmp_path, f"{cfg}\nactivation=relu\nbatch_normalize=1", bias, *rest, weights)
    check(path, [np.maximum(reference.normalize(y, bias, *rest), 0) for y in sums])


def test_batchnorm(tmp_path: Path) -> None:
    """Without biases, as Darknet writes it, and with, as forks do."""
    bias, rest = random(3), [random(3), random(3), np.abs(random(3))]
    path = write(tmp_path, "[batchnorm]", *rest)
    check(path, [reference.normalize(x, np.zeros(3), *rest) for x in X])
    path = write(tmp_path, "[batchnorm]", bias, *rest)
    check(path, [reference.normalize(x, bias, *rest) for x in X])


@pytest.mark.parametrize("reverse", [0, 1])
def test_reorg(tmp_path: Path, reverse: int) -> None:
    x = random(2, 8, 4, 6)
    net = "[net]\nwidth=6\nheight=4\nchannels=8\n"
    path = write(tmp_path, f"{net}[reorg]\nstride=2\nreverse={reverse}")
    check(path, [reference.reorg(image, 2, bool(reverse)) for image in x], x)


def test_reorg3d_and_extra(tmp_path: Path) -> None:
    x = random(1, 2, 4, 6)
    net = "[net]\nwidth=6\nheight=4\nchannels=2\n"
    blocks = [x[0, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    check(write(tmp_path, f"{net}[reorg3d]\nstride=2"), [np.concatenate(blocks)], x)
    longer = np.append(x.reshape(-1), [0, 0, 0])
    check(write(tmp_path, f"{net}[reorg]\nextra=3"), [longer], x)


def test_upsample(tmp_path: Path) -> None:
    larger = 0.5 * X.repeat(3, axis=2).repeat(3, axis=3)
    check(write(tmp_path, "[upsample]\nstride=3\nscale=.5"), list(larger))
    summed = X[:, :, :, :4].reshape(2, 3, 2, 2, 2, 2).sum((3, 5))
    check(write(tmp_path, "[upsample]\nstride=-2"), list(summed))


def test_crop(tmp_path: Path) -> None:
    path = write(tmp_path, "[crop]\ncrop_height=2\ncrop_width=3\nflip=1")
    check(path, list(2 * X[:, :, 1:3, 1:4] - 1))
    path = write(tmp_path, "[crop]\ncrop_height=2\ncrop_width=3\nnoadjust=1")
    check(path, list(X[:, :, 1:3, 1:4]))


def test_softmax(tmp_path: Path) -> None:
    flat = X.reshape(2, 4, 15).astype(np.float64)
    path = write(tmp_path, "[softmax]\ngroups=4\ntemperature=2")
    check(path, list(reference.softmax(flat / 2, 2).reshape(X.shape)))
    path = write(tmp_path, "[dropout]\nprobability=.5\n[softmax]\n[cost]\ntype=sse")
    whole = reference.softmax(X.reshape(2, -1).astype(np.float64), 1)
    check(path, list(whole.reshape(X.shape)))
    assert list(run(path)) == ["softmax_1"]
    check(write(tmp_path, "[softmax]\nspatial=1"), list(reference.softmax(X, 1)))


@pytest.mark.parametrize("size", [1, 2, 5, 6, 12])
def test_normalization(tmp_path: Path, size: int) -> None:
    x = random(1, 7, 2, 3)
    cfg = f"[net]\nwidth=3\nheight=2\nchannels=7\n[normalization]\nsize={size}\nalpha=.02\nkappa=2"
    check(write(tmp_path, cfg), [reference.lrn(x[0], size, 0.02, 0.75, 2)], x)


#: Layers 0, 1 and 2 give 4 channels, 2 channels, and half the pixels of 1.
BRANCHES = """[convolutional]
filters=4
activation=linear
[convolutional]
filters=2
activation=linear
[maxpool]
size=2
stride=2
padding=0
"""


def branches() -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Weights of BRANCHES, and the layers' outputs for each image."""
    first, second = random(4, 3, 1, 1), random(2, 4, 1, 1)
    outputs = []
    for x in X:
        a = reference.conv(x, first)
        b = reference.conv(a, second)
        outputs.append([a, b, reference.pool(b, 2, (2, 2), 0, False)])
    return [np.zeros(4), first, np.zeros(2), second], outputs


def test_route(tmp_path: Path) -> None:
    weights, outputs = branches()
    for option, wanted in (
        ("layers=-2,0", [np.concatenate([b, a]) for a, b, _ in outputs]),
        ("layers = 0\ngroups=2\ngroup_id=1", [a[2:] for a, _, _ in outputs]),
        ("layers=0,1\ngroups=2", [np.concatenate([a[:2], b[:1]]) for a, b, _ in outputs]),
        ("layers=-1,-2", [np.append(c.reshape(-1), b.reshape(-1)) for _, b, c in outputs]),
    ):
        check(write(tmp_path, f"{BRANCHES}[route]\n{option}", *weights), wanted)


def test_shortcut_of_other_channels_and_pixels(tmp_path: Path) -> None:
    weights, outputs = branches()
    path = write(tmp_path, f"{BRANCHES}[shortcut]\nfrom=0\nactivation=relu", *weights)
    check(path, [np.maximum(reference.shortcut(c, a), 0) for a, _, c in outputs])
    path = write(tmp_path, f"{BRANCHES}[route]\nlayers=0\n[shortcut]\nfrom=1", *weights)
    check(path, [reference.shortcut(a, b) for a, b, _ in outputs])
    path = write(tmp_path, f"{BRANCHES}[route]\nlayers=0\n[shortcut]\nfrom=-1,1,0", *weights)
    check(path, [reference.shortcut(3 * a, b) for a, b, _ in outputs])
    path = write(
        tmp_path, f"{BRANCHES}[route]\nlayers=0\n[shortcut]\nfrom=0\nalpha=2\nbeta=.5", *weights
    )
    check(path, [2.5 * a for a, _, _ in outputs])


@pytest.mark.parametrize("normalization", ["none", "relu", "softmax"])
@pytest.mark.parametrize("kind", ["per_feature", "per_channel"])
def test_shortcut_with_weights(tmp_path: Path, kind: str, normalization: str) -> None:
    weights, outputs = branches()
    factors = random(2, 4 if kind == "per_channel" else 1)
    shares = {
        "none": factors,
        "relu": np.maximum(factors, 0) / (np.maximum(factors, 0).sum(0) + 1e-4),
        "softmax": np.exp(factors - factors.max(0))
        / (np.exp(factors - factors.max(0)).sum(0) + 1e-4),
    }[normalization].reshape(2, -1, 1, 1)
    cfg = f"""{BRANCHES}[route]\nlayers=0\n[shortcut]\nfrom=0\nweights_type={kind}
        weights_normalization={normalization}"""
    wanted = [shares[0] * a + shares[1] * a for a, _, _ in outputs]
    check(write(tmp_path, cfg, *weights, factors), wanted)


def test_scale_channels_and_sam(tmp_path: Path) -> None:
    weights, outputs = branches()
    cfg = f"{BRANCHES}[route]\nlayers=0\n[avgpool]\n[scale_channels]\nfrom=0\nactivation=relu"
    scaled = [a * a.mean((1, 2), keepdims=True) for a, _, _ in outputs]
    check(write(tmp_path, cfg, *weights), [np.maximum(y, 0) for y in scaled])
    one = random(1, 2, 1, 1)
    cfg = f"""{BRANCHES}[route]\nlayers=1\n[convolutional]\nactivation=linear
        [scale_channels]\nfrom=0\nscale_wh=1"""
    by_pixel = [a * reference.conv(b, one) for a, b, _ in outputs]
    check(write(tmp_path, cfg, *weights, np.zeros(1), one), by_pixel)
    cfg = f"{BRANCHES}[route]\nlayers=0\n[sam]\nfrom=0\nactivation=leaky"
    check(write(tmp_path, cfg, *weights), [a * a for a, _, _ in outputs])


ANCHORS = [(10.0, 14.0), (23.0, 27.0), (37.0, 58.0)]


@pytest.mark.parametrize("new", [0, 1])
def test_yolo(tmp_path: Path, new: int) -> None:
    x = random(2, 14, 3, 4)
    net = "[net]\nwidth=4\nheight=3\nchannels=14\n"
    anchors = ", ".join(f"{a:g},{b:g}" for a, b in ANCHORS)
    cfg = f"{net}[dropout]\n[yolo]\nmask=2, 0\nanchors={anchors}\nnum=3\nclasses=2"
    path = write(tmp_path, f"{cfg}\nscale_x_y=1.2\nnew_coords={new}")
    outputs = run(path, x)
    assert list(outputs) == ["yolo_1", "dropout_0"]
    picked = [ANCHORS[2], ANCHORS[0]]
    want = [reference.yolo_boxes(image, picked, (4, 3), 1.2, bool(new)) for image in x]
    assert_near(outputs["yolo_1"], np.stack(want).astype(np.float32), 2e-6)
    np.testing.assert_array_equal(outputs["dropout_0"], x)


@pytest.mark.parametrize("softmaxed", [0, 1])
def test_region(tmp_path: Path, softmaxed: int) -> None:
    x = random(1, 16, 3, 4)
    net = "[net]\nwidth=4\nheight=3\nchannels=16\n"
    cfg = f"{net}[dropout]\n[region]\nanchors=1.5,2,3,.5\nnum=2\nclasses=3\nsoftmax={softmaxed}"
    outputs = run(write(tmp_path, cfg), x)
    want = reference.yolo_boxes(x[0], [(1.5, 2), (3, 0.5)], (4, 3))
    cells = x[0].reshape(2, 8, 3, 4).transpose(2, 3, 0, 1).reshape(24, 8).astype(np.float64)
    if softmaxed:
        want[:, 5:] = want[:, 4:5] * reference.softmax(cells[:, 5:], 1)
    assert_near(outputs["region_1"], want[None].astype(np.float32), 2e-6)


@pytest.mark.parametrize("flags", [0, 1])
def test_detection(tmp_path: Path, flags: int) -> None:
    x = random(1, 9 * (2 + 2 * 5))
    cfg = f"""[network]\ninputs={x.size}\n[dropout]\n[detection]\nclasses=2\ncoords=4\nnum=2
        side=3\nsoftmax={flags}\nsqrt={flags}"""
    outputs = run(write(tmp_path, cfg), x)
    want = reference.detection_boxes(x, 3, 2, 2, bool(flags), bool(flags))
    assert_near(outputs["detection_1"], want[None].astype(np.float32), 2e-6)
    assert math.prod(outputs["dropout_0"].shape) == x.size


def test_a_network_of_two_heads_runs_in_half_and_in_other_sizes(tmp_path: Path) -> None:
    shapes = ((14,), (14, 3, 1, 1), (14,), (14, 14, 1, 1))
    weights = [random(*shape) / 5 for shape in shapes]  # exponentials stay within half's range
    head = "[conv]\nfilters=14\nactivation=linear\n[yolo]\nnum=2\nclasses=2\nanchors=1,2,3,4\n"
    path = write(tmp_path, f"{head}[route]\nlayers=-2\n[upsample]\n{head}", *weights)
    outputs = run(path)
    assert {n: a.shape for n, a in outputs.items()} == {
        "yolo_1": (2, 40, 7), "yolo_5": (2, 160, 7),
        "conv_0": (2, 14, 4, 5), "conv_4": (2, 14, 8, 10),
    }  # fmt: skip
    with clnet.load(path, device(), "fp16") as session:
        for name, array in session(X[:1]).items():
            assert_near(array.astype(np.float32), outputs[name][:1], 2e-2)
        assert session(random(1, 3, 6, 2))["yolo_5"].shape == (1, 96, 7)
