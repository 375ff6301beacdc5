"""What a loaded model takes: the arena against its lower bound, and each weight only once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from golden import DATA, needs_data
from harness import device
from onnx import TensorProto, helper, numpy_helper

from benchmarks.models import NAMES, build
from clnet.importers import read_model
from clnet.runtime.memory import MemoryPolicy
from clnet.session.compile import plan_graph

MEGABYTE = 1 << 20

# What the driver and loaded kernels take, however large the weights are.
DRIVER_SHARE = 40 * MEGABYTE


def check_arena(model: Path) -> None:
    if device().memory_policy is MemoryPolicy.COPY:
        pytest.skip("dedicated memory is planned in slots, for speed")
    _, arena = plan_graph(read_model(model), device())
    assert arena.lower_bound <= arena.nbytes <= 1.10 * arena.lower_bound


@needs_data
@pytest.mark.parametrize("model", sorted(DATA.rglob("*.onnx")), ids=lambda p: p.stem)
def test_arena_of_a_real_model(model: Path) -> None:
    check_arena(model)


@pytest.mark.parametrize("name", NAMES)
def test_arena_of_a_standard_network(name: str, tmp_path: Path) -> None:
    build(name, tmp_path / "model.onnx")
    check_arena(tmp_path / "model.onnx")


def heavy_model(path: Path) -> int:
    """Write a model whose weights outweigh all else, and return their bytes."""
    rng = np.random.default_rng(0)
    nodes, weights, name = [], [], "x"

    def weight(*shape: int) -> str:
        array = rng.standard_normal(shape, np.float32) / 50
        weights.append(numpy_helper.from_array(array, f"weight{len(weights)}"))
        return weights[-1].name

    def node(op: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [f"y{len(nodes)}"], **attributes))
        return str(nodes[-1].output[0])

    name = node("Conv", "x", weight(512, 3, 3, 3))
    for _ in range(6):
        name = node("Relu", node("Conv", name, weight(512, 512, 3, 3), pads=[1] * 4))
    name = node("Flatten", node("GlobalAveragePool", name))
    name = node("Gemm", name, weight(8192, 512), weight(8192), transB=1)
    name = node("MatMul", name, weight(8192, 2048))
    name = node("Add", name, weight(1, 2048))
    graph = helper.make_graph(
        nodes, "heavy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        weights,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return sum(len(w.raw_data) for w in weights)


CHILD = """
import json, sys
import numpy as np
import clnet
from clnet.runtime.devices import find_device

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

find_device().memory_policy  # wakes the driver
x = np.ones((1, 3, 8, 8), np.float32)
before = resident()
session = clnet.load(sys.argv[1], precision=sys.argv[2])
loaded = resident()
for _ in range(3):
    session.run(x)
print(json.dumps([loaded - before, resident() - before, session.stats.weight_bytes]))
"""


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_no_weight_is_stored_twice(precision: str, tmp_path: Path) -> None:
    """Measured in a process of its own whose kernels are in the cache, so that no compiler's
    memory counts."""
    model = tmp_path / "heavy.onnx"
    weight_bytes = heavy_model(model) // (2 if precision == "fp16" else 1)

    def measure() -> list[int]:
        command = [sys.executable, "-c", CHILD, str(model), precision]
        return list(json.loads(subprocess.check_output(command, text=True)))

    measure()
    loaded, used, on_device = measure()
    assert weight_bytes <= on_device <= 1.05 * weight_bytes
    assert weight_bytes / 2 < loaded < 1.35 * weight_bytes + DRIVER_SHARE
    assert used < 1.35 * weight_bytes + DRIVER_SHARE
