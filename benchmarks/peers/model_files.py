"""The models of the comparison as folders that every worker reads: ONNX file, inputs, names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from benchmarks import models

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CLNET_DATA") or ROOT / "../shared/data")

#: Real models by short names; they are left out where the data are absent.
REAL = {
    "ultraface": DATA / "models_ultraface/onnx/version-RFB-320.onnx",
    "prisma": DATA / "models_portrait_seg/prisma/prisma_nchw.onnx",
    "blazeface": DATA / "models_blazeface/onnx/face_detection_front_128x128_barracuda.onnx",
    "mnist8": DATA / "models_onnx_mnist8/mnist-8.onnx",
}


def known() -> list[str]:
    """All names that can be asked for here."""
    return [*models.NAMES, *(name for name, path in REAL.items() if path.exists())]


def prepare(name: str, folder: Path) -> None:
    """Write `model.onnx`, `inputs.npz` and `names.json`. ``name`` is a known one (NAME@64 of
    the built ones: with batches of 64) or the path of an ONNX file; an open batch becomes 1."""
    path = folder / "model.onnx"
    if name.partition("@")[0] in models.NAMES:
        models.build(name, path)
        model = onnx.load(str(path))
    else:
        model = onnx.load(str(REAL.get(name, Path(name))))
        close_batch(model, name)
        onnx.save(model, str(path))
    rng = np.random.default_rng(0)
    weights = {w.name for w in model.graph.initializer}
    inputs = {
        value.name: _input(rng, value) for value in model.graph.input if value.name not in weights
    }
    np.savez(folder / "inputs.npz", *inputs.values())
    names = {"inputs": list(inputs), "outputs": [output.name for output in model.graph.output]}
    (folder / "names.json").write_text(json.dumps(names))


def close_batch(model: onnx.ModelProto, name: str) -> None:
    """Give open first dimensions the size 1. Raises ValueError for other open ones."""
    weights = {w.name for w in model.graph.initializer}
    for value in model.graph.input:
        if value.name in weights:
            continue
        dims = value.type.tensor_type.shape.dim
        for i, dim in enumerate(dims):
            if not dim.HasField("dim_value") or dim.dim_value < 1:
                if i > 0:
                    raise ValueError(f"{name}: dimension {i} of input {value.name} is open")
                dim.dim_value = 1
                for output in model.graph.output:
                    output.type.tensor_type.ClearField("shape")


def _input(rng: np.random.Generator, value: onnx.ValueInfoProto) -> np.ndarray:
    """Random numbers; zeros where integers may be indices."""
    kind = value.type.tensor_type
    shape = [dim.dim_value for dim in kind.shape.dim]
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    if dtype.kind == "f":
        return rng.random(shape, np.float32).astype(dtype)
    return np.zeros(shape, dtype)
