"""Single layers as tuning meets them, for benchmarks of kernels."""

from __future__ import annotations

import numpy as np

from clnet.graph import GraphBuilder
from clnet.ops import Op
from clnet.runtime.devices import Device
from clnet.session.compile import lowered_workloads
from clnet.tuning.tuner import Job


def layer(op: Op, x: tuple[int, ...], w: tuple[int, ...], device: Device) -> Job:
    """What computes the op with constant weights in a model that is nothing else: the heaviest
    launch, since on CPUs there are moves in and out of blocks of channels around it."""
    build = GraphBuilder("layer")
    weights = np.random.default_rng(0).standard_normal(w, np.float32)
    build.output(build.add(op, build.input("x", x), build.constant(weights)), "y")
    lowered = lowered_workloads(build.graph, device)
    workload, candidates = max(lowered, key=lambda found: found[0].op.multiply_adds(found[0]))
    return Job(workload, tuple(candidates))
