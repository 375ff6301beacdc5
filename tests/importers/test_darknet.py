"""Darknet's files: real models against independent outputs, cfgs, headers, and clear refusals."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from golden import DATA, Golden, assert_near, goldens, needs_data
from harness import device
from importers.darknet_models import header, random, write

import clnet
from clnet.errors import InputError, ModelError, UnsupportedError
from clnet.importers import read_model
from clnet.importers.darknet import read_darknet
from clnet.importers.darknet.cfg import read_cfg

CFGS = sorted(DATA.rglob("*.cfg"))
#: What is not supported, by the layer that needs it.
REFUSED = {
    "gru": "'gru'", "rnn": "'rnn'", "rnn.train": "'rnn'", "darknet9000": "tree=",
    "yolo9000": "tree=",
}  # fmt: skip


@needs_data
@pytest.mark.parametrize("golden", goldens("darknet"), ids=lambda g: g.path.stem)
def test_model_equals_its_golden(golden: Golden) -> None:
    with clnet.load(golden.model, device()) as session:
        golden.check(session(golden.input()), 1e-5)


@needs_data
@pytest.mark.parametrize("golden", goldens("darknet"), ids=lambda g: g.path.stem)
def test_model_equals_its_golden_in_half(golden: Golden) -> None:
    with clnet.load(golden.model.with_suffix(".cfg"), device(), "fp16") as session:
        outputs = session(golden.input())
    for name, (_, stride, want) in golden.outputs().items():
        if name.startswith("conv"):
            got = outputs[name].reshape(-1)[::stride].astype(np.float32)
            assert_near(got, want.reshape(-1), 2e-2)


@needs_data
@pytest.mark.parametrize("path", CFGS, ids=lambda p: p.stem)
def test_cfg_is_built_or_refused(path: Path) -> None:
    """With random weights and no memory for them; each filter count shows in the graph."""
    tracemalloc.start()
    try:
        if path.stem in REFUSED:
            with pytest.raises(UnsupportedError, match=f"node .*{REFUSED[path.stem]}") as caught:
                read_darknet(path)
            assert len(str(caught.value).splitlines()) == 1
            return
        graph = read_darknet(path)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
    filters = re.findall(r"^filters\s*=\s*(\d+)", path.read_text(), re.MULTILINE)
    made = [n.output.spec.shape[1] for n in graph.nodes if type(n.op).__name__ == "Conv"]
    locals_ = path.read_text().count("[local]")  # of which each gathers by one more
    assert len(made) == len(filters) and (made == [int(f) for f in filters] or locals_)
    assert graph.outputs and all(min(v.spec.shape) > 0 for v in graph.outputs.values())


def test_random_weights_are_always_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, "[convolutional]\nfilters=2\nbatch_normalize=1")
    a, b, other = (read_darknet(path, seed=seed) for seed in (1, 1, 2))

    def weights(graph: clnet.graph.Graph) -> np.ndarray:
        return np.concatenate([v.data.ravel() for v in graph.values() if v.data is not None])

    np.testing.assert_array_equal(weights(a), weights(b))
    assert (weights(a) != weights(other)).any()


CONV = "[convolutional]\nfilters=2\nactivation=linear"
WEIGHTS = (np.zeros(2), random(2, 3, 1, 1))


@pytest.mark.parametrize(
    "start",
    [
        header(0, 1, 32),
        header(0, 2, 64),
        header(2, 5, 64),
        header(1001, 0, 32),
        header(0, 1001, 32),
    ],
)
def test_headers(tmp_path: Path, start: bytes) -> None:
    graph = read_model(write(tmp_path, CONV, *WEIGHTS, start=start))
    weights = next(n for n in graph.nodes if type(n.op).__name__ == "Conv").inputs[1]
    np.testing.assert_array_equal(weights.data, WEIGHTS[1])


def test_syntax(tmp_path: Path) -> None:
    cfg = """
        # a comment
        [net]
        wi dth = 8
        height=8
        channels=3
        channels=99
        [conv]
        ; another
        filters = 2 # of them
        activation\t= linear
    """
    net, conv = read_cfg(write(tmp_path, cfg))
    assert (net.kind, conv.kind, conv.line) == ("net", "conv", 8)
    assert net.options == {"width": "8", "height": "8", "channels": "3"}
    assert conv.options == {"filters": "2", "activation": "linear"}


def test_which_file_holds_the_weights(tmp_path: Path) -> None:
    path = write(tmp_path, CONV, *WEIGHTS)
    beside = path.with_suffix(".weights")
    assert list(read_model(beside).outputs) == ["conv_0"]
    moved = beside.rename(tmp_path / "other.bin")
    with pytest.raises(ModelError, match=r"needs its weights.*net\.weights"):
        read_model(path)
    with clnet.load(path, device(), weights=str(moved)) as session:
        assert [o.shape for o in session.outputs] == [(1, 2, 4, 5)]
    path.unlink()
    with pytest.raises(ModelError, match=r"net\.cfg would be their network"):
        read_model(moved.rename(beside))
    with pytest.raises(ModelError, match="no such file"):
        read_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (-4, r"node conv_1: needs 4 weights, 16 bytes, but of \d+ bytes in .*net\.weights only 12"),
        (-20, r"node conv_1: needs 2 biases, 8 bytes, .* only 4 are left"),
        (+4, r"node conv_1: the weights end here, but 4 bytes of \d+ in .*net\.weights follow"),
        (-999, r"net\.weights: too short"),
    ],
)
def test_weights_must_have_the_right_size(tmp_path: Path, change: int, message: str) -> None:
    path = write(tmp_path, f"{CONV}\n{CONV}", *WEIGHTS, np.zeros(2), random(2, 2, 1, 1))
    data = path.with_suffix(".weights").read_bytes()
    data = data[:change] if change < 0 else data + bytes(change)
    path.with_suffix(".weights").write_bytes(data)
    with pytest.raises(ModelError, match=message):
        read_model(path)


def test_batchnorm_of_a_wrong_size_is_said_once(tmp_path: Path) -> None:
    path = write(tmp_path, "[batchnorm]", np.zeros(10))
    with pytest.raises(ModelError, match=r"node batchnorm_0: the weights end here, but 4 bytes"):
        read_model(path)


def test_input_shapes(tmp_path: Path) -> None:
    path = write(tmp_path, CONV, *WEIGHTS)
    assert read_model(path, {"data": (2, 3, 9, 7)}).outputs["conv_0"].spec.shape == (2, 2, 9, 7)
    for shapes in ({"data": (1, 4, 4, 5)}, {"data": (3, 4, 5)}, {"x": (1, 3, 4, 5)}):
        with pytest.raises(InputError, match="data"):
            read_model(path, shapes)


HEAD = "[yolo]\nanchors=1,2\nclasses=1"


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ("[lstm]\noutput=3", "node lstm_0: layers of type 'lstm' are not supported"),
        ("[Gaussian_yolo]", "Gaussian_yolo"),
        (f"{CONV}\nxnor=1", "node conv_0: xnor=1 is not supported"),
        (f"{CONV}\n{CONV}\nshare_index=0", "node conv_1: share_index="),
        ("[conv]\nactivation=sine", "node conv_0: the activation 'sine' is not known"),
        (f"{CONV}\ngroups=2", "node conv_0: .*divide"),
        ("[local]\nsize=9", "node local_0: size=9 is larger than the input"),
        (f"{CONV}\nsize=x", "node conv_0: size='x' is not a number"),
        (f"{CONV}\nstride=0", "node conv_0: stride='0' is not within 1"),
        (f"{CONV}\nstride=1.5", "not a whole number"),
        (f"{CONV}\nfilters=-1\n[maxpool]\nstride=-2", "node maxpool_1: stride='-2'"),
        (f"{CONV}\n[route]\nlayers=1", "node route_1: reads layer 1, which is not one before"),
        (f"{CONV}\n[route]\nlayers=-2", "node route_1: reads layer -1"),
        (f"{CONV}\n[route]", "node route_1: layers= names no layers"),
        (f"{CONV}\n{HEAD}", "node yolo_1: 2 channels are not 1 boxes of 6 numbers"),
        (f"[yolo]\nanchors=1,2\nclasses=-2\n{CONV}", "node yolo_0: classes='-2'"),
        ("[yolo]\nanchors=1,2\nmask=0,4", "node yolo_0: 2 anchors up to number 4, but there are 1"),
        ("[reorg]\nstride=2", "node reorg_0: 3 channels do not divide"),
        ("[maxpool]\nsize=2\npadding=9", "node maxpool_0: .*windows of padding alone"),
        ("[upsample]\nstride=2000000", "node upsample_0: stride="),
        ("[convolutional]\nnonsense", "line 6: 'nonsense' is not like key=value"),
        ("[convolutional", "line 5: "),
        ("[net]\nwidth=4\n[avgpool]", "node net: width, height and channels, or inputs"),
        ("[net]\nwidth=4\nheight=4\nchannels=3", "the model has no layers"),
        ("filters=3\n[net]", "line 1: 'filters=3' stands before"),
        ("", "the model has no layers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, cfg: str, message: str) -> None:
    path = write(tmp_path, cfg, *WEIGHTS)
    with pytest.raises(ModelError, match=message) as caught:
        read_model(path)
    text = str(caught.value)
    assert len(text.splitlines()) == 1 and text.startswith(str(path))


def test_nothing_reads_boxes(tmp_path: Path) -> None:
    weights = np.zeros(6), random(6, 3, 1, 1)
    head = f"[conv]\nfilters=6\nactivation=linear\n{HEAD}"
    assert list(read_model(write(tmp_path, head, *weights)).outputs) == ["yolo_1", "conv_0"]
    for after in ("[avgpool]", "[route]\nlayers=0,1"):
        path = write(tmp_path, f"{head}\n{after}", *weights)
        with pytest.raises(UnsupportedError, match="reads the boxes of"):
            read_model(path)


def test_a_large_model_is_refused_before_it_is_made(tmp_path: Path) -> None:
    net = "[net]\nwidth=5\nheight=4\nchannels=3\n"
    for cfg in (
        "[connected]\noutput=2000000000",
        "[convolutional]\nfilters=2000000000\nsize=1999999999",
        "[local]\nfilters=2000000000",
        "[upsample]\nstride=65536\n" * 9,
        "[convolutional]\npadding=65536\n[convolutional]\npadding=65536",
        "[avgpool]\n" * 20_000,
    ):
        path = write(tmp_path, f"{net}{cfg}", np.zeros(200))
        tracemalloc.start()
        with pytest.raises(ModelError):
            read_model(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        tracemalloc.stop()
