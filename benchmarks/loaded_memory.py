"""The memory that a loaded model takes, beside ONNX Runtime's where that is installed.

    python -m benchmarks.loaded_memory [MODEL ...] [--device DEVICE]

A MODEL is an ONNX file or the name of a standard network (benchmarks.models). Each runtime loads it
and runs it once, in a process of its own, with clnet's kernels in the cache, so that no compiler
works. Printed in MiB of resident memory: `driver`, what opening the device and a model of one
addition take above Python with NumPy (PoCL's driver holds LLVM); `model`, what the model itself
takes above that; and the size of its file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
from onnx import helper

from benchmarks.models import NAMES, build

RUNTIMES = ("clnet", "onnxruntime")

CHILD = """
import json, sys
import numpy as np

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def load(path):
    if sys.argv[1] == "clnet":
        import clnet
        session = clnet.load(path, sys.argv[4] or None)
        session.run({i.name: np.zeros(i.shape, i.dtype) for i in session.inputs})
    else:
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.run(None, {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()})
    return session

python = resident()
small = load(sys.argv[2])
driver = resident()
session = load(sys.argv[3])
print(json.dumps([driver - python, resident() - driver]))
"""


def addition(path: Path) -> None:
    """Write a model of one node."""
    x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 4]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "addition", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


def measure(runtime: str, small: Path, model: Path, device: str) -> list[float] | None:
    """MiB of the driver and of the model; None where the runtime is not installed."""
    command = [sys.executable, "-c", CHILD, runtime, str(small), str(model), device]
    for _ in range(2):  # the first fills the cache
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "ModuleNotFoundError" in done.stderr:
            return None
        if done.returncode:
            sys.exit(done.stderr)
    return [n / 2**20 for n in json.loads(done.stdout)]


def main() -> None:
    """Measure; print a line per model and runtime."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("models", nargs="*", default=["mobilenet_v2", "resnet18"])
    parser.add_argument("--device", default="")
    options = parser.parse_args()
    print(f"{'model':24} {'runtime':12} {'driver':>7} {'model':>7} {'file':>8}   MiB")
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "addition.onnx"
        addition(small)
        for name in options.models:
            model = Path(name)
            if name in NAMES:
                model = Path(folder) / f"{name}.onnx"
                build(name, model)
            weights = model.stat().st_size / 2**20
            for runtime in RUNTIMES:
                found = measure(runtime, small, model, options.device)
                figures = "not installed" if found is None else "{:7.1f} {:7.1f}".format(*found)
                print(f"{name:24} {runtime:12} {figures} {weights:8.1f}", flush=True)


if __name__ == "__main__":
    main()
