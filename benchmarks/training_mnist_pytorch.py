"""PyTorch's part of ``benchmarks.training_mnist``: needs PyTorch and NumPy alone."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from torch import nn


def main() -> None:
    """Train on the arrays of the file argv[1] as argv[2] (JSON) says; print what came of it."""
    job = json.loads(sys.argv[2])
    torch.set_num_threads(job["threads"])
    with np.load(sys.argv[1]) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 120), nn.Tanh(), nn.Linear(120, 10),
    )  # fmt: skip
    with torch.no_grad():
        for number, name in ((0, "conv1"), (3, "conv2"), (7, "dense1"), (9, "dense2")):
            net[number].weight.copy_(arrays[f"{name}.weight"])
            net[number].bias.copy_(arrays[f"{name}.bias"])
    kind = torch.optim.Adam if job["adam"] else torch.optim.SGD
    optimizer = kind(net.parameters(), lr=job["rate"])
    decay = 1.0 if job["adam"] else job["decay"]
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, decay)
    loss = nn.CrossEntropyLoss()
    seconds, accuracy = [], []
    for order in arrays["order"]:
        x, y = arrays["x"][order], arrays["y"][order]
        started = time.perf_counter()
        for start in range(0, len(order), job["batch"]):
            optimizer.zero_grad()
            end = start + job["batch"]
            loss(net(x[start:end]), y[start:end]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - started)
        schedule.step()
        with torch.no_grad():
            right = net(arrays["xv"]).argmax(1) == arrays["yv"]
        accuracy.append(float(right.float().mean()))
    answer = {"version": torch.__version__, "seconds": seconds, "accuracy": accuracy}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
