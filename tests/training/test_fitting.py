"""Trainer.fit over hours: checkpoints, kills, early stop, bad numbers, memory, progress."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from harness import device

import clnet
from clnet.errors import InputError, TrainingError
from clnet.models.layers import Activation, Conv, Dense, Dropout, Flatten, MaxPool, Softmax
from clnet.training.checkpoint import read_tensors, write_atomically, write_tensors
from clnet.training.early_stop import EarlyStop
from clnet.training.history import History
from clnet.training.progress import Progress, described

pytest.importorskip("safetensors")
Data = tuple[np.ndarray, np.ndarray]


def network() -> clnet.Sequential:
    return clnet.Sequential(
        [Conv(3, 3), Activation("Tanh"), MaxPool(2), Flatten(), Dropout(0.2), Dense(3), Softmax()],
        input_shape=(1, 6, 6),
    )


def trainer(rate: float = 0.01) -> clnet.Trainer:
    return clnet.Trainer(network(), optimizer=clnet.optimizers.Adam(rate), device=device())


def samples(count: int = 200) -> Data:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, count)
    patterns = rng.standard_normal((3, 1, 6, 6))
    return (patterns[y] + 0.3 * rng.standard_normal((count, 1, 6, 6))).astype(np.float32), y


AUGMENTATION = clnet.Augmentation(rotation=5, noise=0.1)
FIT = {"batch_size": 4, "epochs": 3, "seed": 3, "augmentation": AUGMENTATION}


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


# What the killed process runs: everything must come from the file and the seed.
SCRIPT = f"""
import sys
sys.path[:0] = {[str(p) for p in (Path(__file__).parent, *Path(__file__).parents[1:3])]!r}
from test_fitting import FIT, samples, trainer
with trainer() as t:
    t.fit(*samples(), **FIT, checkpoint=sys.argv[1], checkpoint_seconds=0, resume=True)
    t.save(sys.argv[2])
"""


def test_a_killed_training_resumes_to_the_same_bits(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("clnet.training.fitting.LOOK_SECONDS", 0)
    with trainer() as t:
        t.fit(*samples(), **FIT)
        expected = t.state_dict()
    checkpoint, result = tmp_path / "c.safetensors", tmp_path / "weights.safetensors"
    script = SCRIPT.replace("with trainer()", "import clnet.training.fitting as f\n"
                            "f.LOOK_SECONDS = 0\nwith trainer()")  # fmt: skip
    command = [sys.executable, "-c", script, str(checkpoint), str(result)]
    positions = []
    for kill in range(3):
        process = subprocess.Popen(command, env=os.environ)
        last = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None:
            time.sleep(0.001)
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != last:
                time.sleep(0.003 * kill)  # at different moments behind its appearance
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        _, meta = read_tensors(checkpoint)  # whole, whatever was going on
        positions.append((meta["position"]["epoch"], meta["position"]["done"]))
    assert positions == sorted(positions)
    assert subprocess.run(command, env=os.environ, check=False).returncode == 0
    assert same(read_tensors(result)[0], expected)
    assert sorted(tmp_path.iterdir()) == [checkpoint, result], "what kills left is gone"


def test_interrupted_within_an_epoch_it_goes_on_from_there(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("clnet.training.fitting.LOOK_SECONDS", 0)
    path = tmp_path / "c.safetensors"
    with trainer() as t:
        whole = t.fit(*samples(), **FIT, validation=samples(40))
        expected = t.state_dict()

    def stop(progress: Progress) -> None:
        if progress.epoch == 1 and progress.done > 60:
            raise KeyboardInterrupt

    with trainer() as t, pytest.raises(KeyboardInterrupt):
        t.fit(*samples(), **FIT, validation=samples(40), checkpoint=path, checkpoint_seconds=0,
              on_progress=stop)  # fmt: skip
    position = read_tensors(path)[1]["position"]
    assert position["epoch"] == 1 and 0 < position["done"] < 200
    with trainer() as t:
        history = t.fit(*samples(), **FIT, validation=samples(40), checkpoint=path, resume=True)
        assert same(t.state_dict(), expected)
    assert history.loss == whole.loss and history.validation_loss == whole.validation_loss


def test_a_finished_training_resumes_into_more_epochs(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    with trainer() as t:
        t.fit(*samples(), **FIT)
        expected = t.state_dict()
    for epochs in (1, 3):
        with trainer() as t:
            history = t.fit(*samples(), **{**FIT, "epochs": epochs}, checkpoint=path, resume=True)
            weights = t.state_dict()
    assert same(weights, expected) and len(history.loss) == 3


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    with trainer() as t:
        t.fit(*samples(20), **FIT, checkpoint=path)
        with pytest.raises(InputError, match="another training: seed was 3, now is 4"):
            t.fit(*samples(20), **{**FIT, "seed": 4}, checkpoint=path, resume=True)
        t.save(tmp_path / "w.safetensors")
        with pytest.raises(InputError, match=r"w\.safetensors is no checkpoint"):
            t.fit(*samples(20), **FIT, checkpoint=tmp_path / "w.safetensors", resume=True)
        with pytest.raises(InputError, match="without a checkpoint"):
            t.fit(*samples(20), **FIT, resume=True)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(InputError, match="not a safetensors file"):
            t.fit(*samples(20), **FIT, checkpoint=path, resume=True)


def test_a_checkpoint_knows_a_schedule_in_another_process(tmp_path: Path) -> None:
    """Its repr has an address, which differs from process to process."""
    path = tmp_path / "c.safetensors"
    for epochs in (1, 2):
        optimizer = clnet.optimizers.SGD(make_schedule())
        with clnet.Trainer(network(), optimizer=optimizer, device=device()) as t:
            history = t.fit(*samples(20), 4, epochs, checkpoint=path, resume=True)
    assert len(history.loss) == 2


def make_schedule():
    return lambda epoch, step: 0.01 / (1 + step)


def test_weights_go_through_files(tmp_path: Path) -> None:
    with trainer() as t:
        t.fit(*samples(20), **FIT)
        t.save(tmp_path / "w.safetensors")
        expected = t.state_dict()
    with trainer() as t:
        t.load(tmp_path / "w.safetensors")
        assert same(t.state_dict(), expected)
        with pytest.raises(InputError, match=r"conv1\.weight is \[3, 1, 3, 3\] here, missing"):
            t.load_state_dict({})
        with pytest.raises(InputError, match="cannot read"):
            t.load(tmp_path / "none")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "w.safetensors"
    write_tensors(path, {"a": np.ones(3, np.float32), "b": np.float32(2)}, {"n": 1})

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_atomically(path, b"half")
    monkeypatch.undo()
    tensors, meta = read_tensors(path)
    assert tensors["a"].tolist() == [1, 1, 1] and tensors["b"].shape == () and meta == {"n": 1}
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match="cannot write"):
        write_atomically(tmp_path / "none" / "x", b"")


def test_early_stop_ends_and_takes_the_best_weights() -> None:
    x, y = samples(60)
    seen: list[dict[str, np.ndarray]] = []
    with trainer(0.05) as t:
        history = t.fit(
            x, y, 4, 40, validation=(x[:30], (y[:30] + 1) % 3),  # learning makes this ever worse
            early_stop=EarlyStop(patience=2), on_epoch=lambda _: seen.append(t.state_dict()),
        )  # fmt: skip
        best = int(np.argmin(history.validation_loss))
        assert len(history.loss) == best + 3 < 40
        assert same(t.state_dict(), seen[best])
        with pytest.raises(InputError, match="pass validation data"):
            t.fit(x, y, 4, 2, early_stop=EarlyStop())


def test_early_stop_reads_any_list_of_the_history() -> None:
    history = History(loss=[3, 2, 2.5], validation_accuracy=[0.1, 0.5, 0.4])
    assert EarlyStop(1, "loss").best(history) == 1
    assert EarlyStop(1, "loss").is_over(history)
    assert not EarlyStop(2, "validation_accuracy").is_over(history)
    assert EarlyStop(2, "loss", at_least=5).best(history) == 0
    for options in ({"monitor": "guess"}, {"patience": 0}):
        with pytest.raises(InputError):
            EarlyStop(**options)


def test_a_loss_that_is_no_number_names_the_layer() -> None:
    """A division by zero in the third layer, for one sample alone."""
    layers = [Flatten(), Dense(4, initializer="zeros"), Activation("Reciprocal"), Dense(3)]
    net = clnet.Sequential(layers, (1, 6, 6))
    net.parameters["dense1.bias"][:] = 1
    net.parameters["dense1.weight"][0, 0] = -1
    x, y = samples(60)
    x[:, 0, 0, 0] = 0
    x[41, 0, 0, 0] = 1
    with clnet.Trainer(net, optimizer=clnet.optimizers.SGD(0.0), device=device()) as t:
        with pytest.raises(TrainingError, match=r"epoch 1, sample 41: the output of activation1"):
            t.fit(x, y)
        assert all(np.isfinite(a).all() for a in t.state_dict().values())


def test_weights_that_explode_are_named() -> None:
    net = clnet.Sequential([Flatten(), Dense(3)], (1, 6, 6))
    x, y = samples(60)
    with (
        clnet.Trainer(net, "mse", clnet.optimizers.SGD(1e6), device()) as t,
        pytest.raises(TrainingError, match=r"dense1|the loss itself"),
    ):
        t.fit(x, np.eye(3, dtype=np.float32)[y], batch_size=4, epochs=50)


def test_a_bad_sample_is_named() -> None:
    x, y = samples(30)
    x[17, 0, 2, 3] = np.nan
    with trainer() as t, pytest.raises(InputError, match=r"x\[17\] is nan at \[0, 2, 3\]"):
        t.fit(x, y)


def test_memory_is_told_before() -> None:
    with trainer() as t:
        memory = t.memory(batch_size=4)
        weights = sum(a.nbytes for a in t.net.parameters.values())
        assert memory.weights == weights and memory.optimizer >= 2 * weights
        assert memory.peak == memory.weights + memory.optimizer + memory.work
        assert t.memory(8, validation=True).work > memory.work > 4 * 4 * 36


def test_progress_comes_with_numbers_and_ends_with_the_epoch(monkeypatch) -> None:
    monkeypatch.setattr("clnet.training.fitting.LOOK_SECONDS", 0)
    seen: list[Progress] = []
    with trainer() as t:
        history = t.fit(*samples(), **FIT, on_progress=seen.append)
    last = [p for p in seen if p.done == 200]
    assert [p.epoch for p in last] == [0, 1, 2]
    assert [p.loss for p in last] == pytest.approx(history.loss)
    assert all(p.samples_per_second > 0 for p in seen)
    assert described(last[0]).startswith("epoch 1 of 3  loss ")


def test_training_does_not_depend_on_chunks(monkeypatch) -> None:
    weights = []
    for steps in (3, 256):
        monkeypatch.setattr("clnet.training.trainer.CHUNK_STEPS", steps)
        with trainer() as t:
            t.fit(*samples(50), **FIT)
            weights.append(t.state_dict())
    assert same(*weights)


def test_frozen_parameters_stay() -> None:
    net = network()
    net.freeze("conv1.*")
    with clnet.Trainer(net, optimizer=clnet.optimizers.Adam(0.01), device=device()) as t:
        t.fit(*samples(40), 4)
        after = t.state_dict()
    for name, first in net.parameters.items():
        assert np.array_equal(first, after[name]) == name.startswith("conv1."), name
