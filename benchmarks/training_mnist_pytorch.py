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
    optimizer = kind(net.parameters())
    loss = nn.CrossEntropyLoss()
    seconds, accuracy = [], []
    for order, rates in zip(arrays["order"], arrays["rates"].tolist(), strict=True):
        x, y = arrays["x"][order], arrays["y"][order]
        started = time.perf_counter()
        for step, rate in enumerate(rates):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            start, end = step * job["batch"], (step + 1) * job["batch"]
            loss(net(x[start:end]), y[start:end]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - started)
        with torch.no_grad():
            right = net(arrays["xv"]).argmax(1) == arrays["yv"]
        accuracy.append(float(right.float().mean()))
    answer = {"version": torch.__version__, "seconds": seconds, "accuracy": accuracy}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
