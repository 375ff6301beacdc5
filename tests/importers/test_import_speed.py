"""Reading a large model is quick, and takes little more memory than its file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

#: The model's size, and what reading it may take.
MEGABYTES, SECONDS, FACTOR = 100, 2.0, 1.3
#: Reads a model in a process of its own, and says what that took beyond what was there before.
READ = """
import json, sys, time
from pathlib import Path
from clnet.importers import read_model

def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))

read_model(Path(sys.argv[1]))  # imports what reading needs
Path("/proc/self/clear_refs").write_text("5")
before, start = status("VmRSS"), time.process_time()
graph = read_model(Path(sys.argv[2]))
seconds, grown = time.process_time() - start, status("VmHWM") - before
weights = sum(v.spec.nbytes for v in graph.values() if v.data is not None)
print(json.dumps({"seconds": seconds, "grown": grown, "weights": weights}))
"""
Tensor = Callable[[str, np.ndarray], TensorProto]


def layers(count: int, megabytes: float) -> Iterator[tuple[str, np.ndarray]]:
    """Weights of that many convolutions with as many channels as make up the size."""
    channels = max(1, round((megabytes * 1e6 / 4 / count) ** 0.5))
    weights = np.random.default_rng(0).standard_normal((channels, channels, 1, 1), np.float32)
    for i in range(count):
        yield f"w{i}", weights


def model(count: int, megabytes: float, tensor: Tensor) -> onnx.ModelProto:
    """A chain of convolutions, each with a Relu behind it."""
    nodes, initializers = [], []
    for i, (name, weights) in enumerate(layers(count, megabytes)):
        initializers.append(tensor(name, weights))
        nodes.append(helper.make_node("Conv", [f"x{i}", name], [f"c{i}"], f"conv{i}"))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"x{i + 1}"], f"relu{i}"))
    shape = [1, len(weights), 4, 4]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(f"x{count}", TensorProto.FLOAT, shape)],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def raw(name: str, weights: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(weights, name)


def typed(name: str, weights: np.ndarray) -> TensorProto:
    """As numbers rather than bytes, as some exporters write them."""
    return helper.make_tensor(name, TensorProto.FLOAT, weights.shape, weights.reshape(-1))


def external(name: str, weights: np.ndarray) -> TensorProto:
    """In the file beside the model, at the place that its number says."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=weights.shape)
    tensor.data_location = TensorProto.EXTERNAL
    place = {"location": "weights.bin", "length": weights.nbytes}
    for key, value in (place | {"offset": int(name[1:]) * weights.nbytes}).items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


@pytest.mark.parametrize("count", [4, 60])
@pytest.mark.parametrize("tensor", [raw, typed, external])
def test_reading_100_megabytes(tmp_path: Path, tensor: Tensor, count: int) -> None:
    onnx.save(model(count, MEGABYTES, tensor), tmp_path / "big.onnx")
    if tensor is external:
        with (tmp_path / "weights.bin").open("wb") as file:
            for _, weights in layers(count, MEGABYTES):
                file.write(weights.tobytes())
    took = reading(tmp_path)
    assert took["weights"] > 0.9 * MEGABYTES * 1e6
    assert took["seconds"] <= SECONDS
    assert took["grown"] <= FACTOR * MEGABYTES * 1e6


def test_reading_many_nodes(tmp_path: Path) -> None:
    """Four thousand, which the walk may not look for one by one."""
    onnx.save(model(2000, 4, raw), tmp_path / "big.onnx")
    assert reading(tmp_path)["seconds"] <= SECONDS


def reading(folder: Path) -> dict[str, float]:
    """What reading ``big.onnx`` took: processor seconds, bytes."""
    onnx.save(model(1, 1e-3, raw), folder / "small.onnx")
    paths = [str(folder / "small.onnx"), str(folder / "big.onnx")]
    child = subprocess.run(
        [sys.executable, "-c", READ, *paths], capture_output=True, text=True, check=True
    )
    answer: dict[str, float] = json.loads(child.stdout)
    return answer
