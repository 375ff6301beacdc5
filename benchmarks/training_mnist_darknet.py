"""Darknet's part of ``benchmarks.training_mnist``: needs its library and NumPy alone."""

from __future__ import annotations

import ctypes
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

#: LeNet with one sample a step; a learning rate of ``rate`` * ``decay`` to the power of the epoch.
CFG = """
[net]
batch=1
subdivisions=1
width=28
height=28
channels=1
momentum=0
decay=0
learning_rate={rate}
policy=step
step={samples}
scale={decay}
max_batches=1000000000

[convolutional]
filters=6
size=5
activation=tanh

[maxpool]
size=2
stride=2
padding=0

[convolutional]
filters=16
size=5
activation=tanh

[maxpool]
size=2
stride=2
padding=0

[connected]
output=120
activation=tanh

[connected]
output=10
activation=linear

[softmax]
"""

Rows = ctypes.POINTER(ctypes.c_float)


class Matrix(ctypes.Structure):
    """Darknet's ``matrix``: pointers to rows."""

    _fields_ = (("rows", ctypes.c_int), ("cols", ctypes.c_int), ("vals", ctypes.POINTER(Rows)))


class Data(ctypes.Structure):
    """Darknet's ``data``: samples x and truths y."""

    _fields_ = (
        ("w", ctypes.c_int), ("h", ctypes.c_int), ("x", Matrix), ("y", Matrix),
        ("shallow", ctypes.c_int), ("num_boxes", ctypes.c_void_p), ("boxes", ctypes.c_void_p),
    )  # fmt: skip


def matrix(array: np.ndarray) -> Matrix:
    """A view of an array [rows, cols], which must outlive it."""
    rows = (Rows * len(array))(*(row.ctypes.data_as(Rows) for row in array))
    return Matrix(*array.shape, rows)


def weights_file(arrays: dict[str, np.ndarray]) -> bytes:
    """The first weights in Darknet's format 0.2: of each layer its bias, then its weights."""
    parts = [np.array([0, 2, 0, 0, 0], np.int32)]
    for layer in ("conv1", "conv2", "dense1", "dense2"):
        parts += [arrays[f"{layer}.bias"], arrays[f"{layer}.weight"]]
    return b"".join(part.tobytes() for part in parts)


def main() -> None:
    """Train on the arrays of the file argv[1] as argv[2] (JSON) says; print what came of it."""
    job = json.loads(sys.argv[2])
    darknet = ctypes.CDLL(job["library"])
    darknet.load_network.restype = ctypes.c_void_p
    darknet.train_network.restype = ctypes.c_float
    darknet.train_network.argtypes = ctypes.c_void_p, Data
    darknet.network_predict.restype = Rows
    darknet.network_predict.argtypes = ctypes.c_void_p, Rows
    with np.load(sys.argv[1]) as file:
        arrays = dict(file)
    x, xv = (arrays[n].reshape(len(arrays[n]), -1).astype(np.float32) for n in ("x", "xv"))
    truth = np.eye(10, dtype=np.float32)[arrays["y"]]
    with tempfile.TemporaryDirectory() as folder:
        cfg, weights = Path(folder) / "lenet.cfg", Path(folder) / "lenet.weights"
        cfg.write_text(CFG.format(rate=job["rate"], decay=job["decay"], samples=len(x)))
        weights.write_bytes(weights_file(arrays))
        network = darknet.load_network(str(cfg).encode(), str(weights).encode(), 0)
    seconds, accuracy = [], []
    for order in arrays["order"]:
        shuffled, wanted = x[order], truth[order]
        data = Data(28, 28, matrix(shuffled), matrix(wanted))
        started = time.perf_counter()
        darknet.train_network(network, data)
        seconds.append(time.perf_counter() - started)
        outputs = (darknet.network_predict(network, row.ctypes.data_as(Rows)) for row in xv)
        found = [int(np.argmax(output[:10])) for output in outputs]
        accuracy.append(float(np.mean(found == arrays["yv"])))
    print("\n" + json.dumps({"seconds": seconds, "accuracy": accuracy}))


if __name__ == "__main__":
    main()
