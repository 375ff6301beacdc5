"""The golden outputs that independent runtimes gave for real models: where they are, how to read
them (see README.md of the data folder)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

DATA = Path(os.environ.get("CLNET_DATA") or Path(__file__).parents[2] / "shared" / "data")

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no folder {DATA}: set CLNET_DATA to the test data"
)


@dataclass(frozen=True)
class Golden:
    """One input of a model and the outputs an independent runtime gave for it."""

    path: Path

    @property
    def model(self) -> Path:
        """The model file."""
        return DATA / str(self._read()["model"])

    def _read(self) -> dict[str, np.ndarray]:
        with np.load(self.path, allow_pickle=False) as file:
            return dict(file)

    def input(self, dtype: str = "float32") -> np.ndarray:
        """The input, as the image was fed; of quantised models its pixels."""
        data = self._read()
        if "x_f32" in data:
            return data["x_f32"]
        if dtype != "float32":
            shifted = data["x_u8"].astype(np.int16) - (128 if dtype == "int8" else 0)
            return shifted.astype(dtype)[None]
        image = data["x_u8"][..., ::-1] if data["order"] == "BGR" else data["x_u8"]
        x = ((image.astype(np.float32) - data["mean"]) * data["scale"]).astype(np.float32)
        return np.ascontiguousarray(x.transpose(2, 0, 1) if data["layout"] == "NCHW" else x)[None]

    def outputs(self) -> dict[str, tuple[tuple[int, ...], int, np.ndarray]]:
        """Shape, stride and values of each output: every stride-th value of it flattened. Without
        names in the file they are called by their number."""
        data = self._read()
        if "out_names" not in data:
            values = [data[f"out{i}"] for i in range(sum(k.startswith("out") for k in data))]
            return {str(i): (v.shape, 1, v) for i, v in enumerate(values)}
        return {
            str(name): (
                tuple(data[f"out{i}_shape"].tolist()),
                int(data[f"out{i}_stride"]),
                data[f"out{i}"],
            )
            for i, name in enumerate(data["out_names"])
        }

    def check(self, outputs: dict[str, np.ndarray], tolerance: float) -> None:
        """Fail where an output differs by more than ``tolerance`` of the largest magnitude; where
        it is quantised, where more than one in a thousand elements differs by more than one. Of
        Darknet's boxes OpenCV has left out the batch and zeroed small probabilities."""
        darknet = self.path.stem.startswith("darknet")
        for i, (name, (shape, stride, want)) in enumerate(self.outputs().items()):
            got = [*outputs.values()][i] if name.isdecimal() else outputs[name]
            assert (got.shape[-len(shape) :] if darknet else got.shape) == shape
            values, want = got.reshape(-1)[::stride], want.reshape(-1)
            if darknet and not name.startswith("conv"):
                values = np.where(want, values, 0)
            if np.issubdtype(got.dtype, np.integer):
                assert (np.abs(values.astype(int) - want.astype(int)) <= 1).mean() >= 0.999
            else:
                assert_near(values, want, tolerance)


def assert_near(got: np.ndarray, want: np.ndarray, tolerance: float) -> None:
    """The largest difference is at most ``tolerance`` of the largest magnitude."""
    assert got.shape == want.shape
    error = float(np.abs(got - want).max())
    scale = float(np.abs(want).max())
    assert error <= tolerance * scale, f"largest difference {error:.3g} of {scale:.3g}"


def goldens(prefix: str) -> list[Golden]:
    """All goldens of a format: "onnx", "tfl"… Empty where the data folder is absent."""
    return [Golden(path) for path in sorted((DATA / "golden").glob(f"{prefix}_*.npz"))]
