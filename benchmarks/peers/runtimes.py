"""The runtimes that are compared, each behind the same three methods.

A runtime is made in a worker process of its own, by an interpreter that may have nothing but NumPy
and that runtime. ``run`` takes what the inputs hold to the point where every output can be read by
the host; only MNN copies its inputs then. Only what computes in float32 is used.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Arrays = dict[str, np.ndarray]


class Runtime(Protocol):
    """A model, loaded."""

    #: What else the reader should know, for instance the device.
    remark: str

    def run(self) -> None:
        """Compute the outputs."""

    def outputs(self) -> list[np.ndarray]:
        """Those of the last run, in the model's order."""


class Clnet:
    """clnet as its users get it, with the tuning records that there are."""

    def __init__(self, model: Path, inputs: Arrays, device: str | None) -> None:
        import clnet

        shapes = {name: array.shape for name, array in inputs.items()}
        self.session = clnet.load(model, device, input_shapes=shapes)
        for name, array in inputs.items():
            with self.session.map_input(name) as view:
                view[...] = array
        stats = self.session.stats
        work = f"{stats.launches} launches, {stats.tuned} layers tuned"
        self.remark = f"{self.session.device}; {work}"

    def run(self) -> None:
        self.session.execute()
        for info in self.session.outputs:
            with self.session.map_output(info.name):
                pass

    def outputs(self) -> list[np.ndarray]:
        found = []
        for info in self.session.outputs:
            with self.session.map_output(info.name) as view:
                found.append(np.array(view))
        return found


class OnnxRuntime:
    """ONNX Runtime's own CPU kernels."""

    remark = ""

    def __init__(self, model: Path, inputs: Arrays, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = inputs

    def run(self) -> None:
        self.results = self.session.run(None, self.inputs)

    def outputs(self) -> list[np.ndarray]:
        return list(self.results)


class OpenVino:
    """OpenVINO's CPU plug-in, told to compute in float32."""

    remark = ""

    def __init__(self, model: Path, inputs: Arrays, threads: int) -> None:
        import openvino

        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.compiled = openvino.Core().compile_model(str(model), "CPU", settings)
        self.request = self.compiled.create_infer_request()
        self.inputs = inputs  # their memory stays theirs
        for name, array in inputs.items():
            self.request.set_tensor(name, openvino.Tensor(array, shared_memory=True))

    def run(self) -> None:
        self.request.infer()

    def outputs(self) -> list[np.ndarray]:
        return [np.array(self.request.get_tensor(port).data) for port in self.compiled.outputs]


class Mnn:
    """MNN's CPU backend by its session interface, which is the faster one, the model converted from
    ONNX. Its sessions use their inputs' memory for other things, so a run begins with a copy."""

    remark = ""

    def __init__(self, model: Path, inputs: Arrays, threads: int) -> None:
        import MNN

        converted = model.with_suffix(".mnn")
        # Not by the command `mnnconvert`, which reports to its makers.
        convert = "import sys, _tools; _tools.mnnconvert(sys.argv)"
        options = {"-f": "ONNX", "--modelFile": model, "--MNNModel": converted, "--bizCode": "x"}
        pairs = [word for pair in options.items() for word in pair]
        command(model.parent, sys.executable, "-c", convert, *pairs)

        def on_host(array: np.ndarray) -> Any:
            if array.dtype != np.float32:
                raise ValueError(f"an input is {array.dtype}, not float32")
            layout = MNN.Tensor_DimensionType_Caffe
            return MNN.Tensor(array.shape, MNN.Halide_Type_Float, array, layout)

        self.interpreter = MNN.Interpreter(str(converted))
        config = {"backend": "CPU", "precision": "high", "numThread": threads}
        self.session = self.interpreter.createSession(config)
        found = self.interpreter.getSessionInputAll(self.session)
        self.inputs = [(found[name], on_host(array)) for name, array in inputs.items()]
        found = self.interpreter.getSessionOutputAll(self.session)
        results = [found[name] for name in output_names(model)]
        self.results = [(r, on_host(np.zeros(r.getShape(), np.float32))) for r in results]

    def run(self) -> None:
        for inside, outside in self.inputs:
            inside.copyFrom(outside)
        self.interpreter.runSession(self.session)
        for inside, outside in self.results:
            inside.copyToHostTensor(outside)

    def outputs(self) -> list[np.ndarray]:
        return [np.array(t.getNumpyData()).reshape(t.getShape()) for _, t in self.results]


class Ncnn:
    """ncnn on the CPU, its model converted by pnnx. It knows no batches."""

    remark = ""

    def __init__(self, model: Path, inputs: Arrays, threads: int) -> None:
        import ncnn

        if any(a.shape[0] != 1 for a in inputs.values()):
            raise ValueError("ncnn computes one sample at a time")
        folder = by_pnnx(model, inputs)
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(self.net.opt, f"use_{half}", False)
        self.net.load_param(str(folder / "model.ncnn.param"))
        self.net.load_model(str(folder / "model.ncnn.bin"))
        self.mats = [ncnn.Mat(array[0]).clone() for array in inputs.values()]
        self.names = self.net.output_names()

    def run(self) -> None:
        extractor = self.net.create_extractor()
        for i, mat in enumerate(self.mats):
            extractor.input(f"in{i}", mat)
        self.results = [extractor.extract(name)[1] for name in self.names]

    def outputs(self) -> list[np.ndarray]:
        return [np.array(result)[None] for result in self.results]


class PyTorch:
    """PyTorch's eager CPU mode; pnnx writes the module from the ONNX file."""

    remark = "eager"

    def __init__(self, model: Path, inputs: Arrays, threads: int) -> None:
        import torch

        folder = by_pnnx(model, inputs)
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        sys.path.insert(0, str(folder))
        self.net = __import__("model_pnnx").Model().float().eval()
        self.inputs = [torch.from_numpy(array) for array in inputs.values()]

    def run(self) -> None:
        results = self.net(*self.inputs)
        self.results = results if isinstance(results, tuple | list) else [results]

    def outputs(self) -> list[np.ndarray]:
        return [result.numpy() for result in self.results]


class Tinygrad:
    """tinygrad's OpenCL backend, on the first platform's first device, recorded by its JIT."""

    def __init__(self, model: Path, inputs: Arrays, threads: int) -> None:
        os.environ["DEV"] = "CL"
        from tinygrad import Device, Tensor, TinyJit
        from tinygrad.nn.onnx import OnnxRunner

        runner = OnnxRunner(str(model))
        names = list(inputs)
        self.step = TinyJit(
            lambda *xs: [y.realize() for y in runner(dict(zip(names, xs, strict=True))).values()]
        )
        self.inputs = [Tensor(array).realize() for array in inputs.values()]
        self.remark = str(Device["CL"].device_name)

    def run(self) -> None:
        self.results = [y.numpy() for y in self.step(*self.inputs)]

    def outputs(self) -> list[np.ndarray]:
        return self.results


#: Name → how it is made, and the distribution whose version is told.
RUNTIMES: dict[str, tuple[Callable[[Path, Arrays, Any], Runtime], str]] = {
    "clnet": (Clnet, "clnet"),
    "onnxruntime": (OnnxRuntime, "onnxruntime"),
    "openvino": (OpenVino, "openvino"),
    "mnn": (Mnn, "mnn"),
    "ncnn": (Ncnn, "ncnn"),
    "pytorch": (PyTorch, "torch"),
    "tinygrad": (Tinygrad, "tinygrad"),
}


def version(name: str) -> str:
    """The installed version of a runtime."""
    return metadata.version(RUNTIMES[name][1])


def by_pnnx(model: Path, inputs: Arrays) -> Path:
    """The folder with what pnnx makes of a model: files for ncnn and a module for PyTorch."""
    found = importlib.util.find_spec("pnnx")  # not imported: it would import PyTorch
    if found is None or found.origin is None:
        raise ImportError("No module named 'pnnx'")
    folder = model.with_suffix(".pnnx")
    folder.mkdir(exist_ok=True)
    copy = folder / "model.onnx"
    if not copy.exists():
        copy.symlink_to(model)
        shapes = ",".join(f"[{','.join(map(str, a.shape))}]" for a in inputs.values())
        program = Path(found.origin).parent / "pnnx"
        command(folder, program, copy, f"inputshape={shapes}", "fp16=0")
    return folder


def output_names(model: Path) -> list[str]:
    """As they stand beside the model."""
    return list(json.loads((model.parent / "names.json").read_text())["outputs"])


def command(folder: Path, *arguments: object) -> None:
    """Run a converter, beside its model; its last words are the error."""
    done = subprocess.run(
        [str(a) for a in arguments], cwd=folder, text=True, errors="replace", check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        words = " | ".join(done.stdout.strip().splitlines()[-3:])
        raise RuntimeError(f"conversion ended with status {done.returncode}: {words}")
