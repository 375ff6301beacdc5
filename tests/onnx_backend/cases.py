"""ONNX's own test cases: models with inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from clnet.onnx_backend import ClnetBackend

#: Single nodes made by ONNX's own scripts, small models out of its package, and well-known networks
#: whose weights are constants.
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")


@dataclass(frozen=True)
class BackendCase:
    """One case. ``run`` raises where clnet's outputs are not those of ONNX."""

    kind: str
    case: TestCase

    @property
    def name(self) -> str:
        """ONNX's name for it."""
        return str(self.case.name)

    def model(self) -> ModelProto:
        """The model."""
        if self.case.model is not None:
            return self.case.model
        return onnx.load(self._network or Path(self.case.model_dir) / "model.onnx")

    @property
    def _network(self) -> Path | None:
        """The file of a well-known network."""
        return Path(onnx.__file__).parents[1] / self.case.url if self.case.url else None

    def data_sets(self) -> Iterator[tuple[list[np.ndarray], list[np.ndarray]]]:
        """Inputs and expected outputs."""
        if self.case.data_sets is not None:
            for inputs, outputs in self.case.data_sets:
                yield [_array(a) for a in inputs], [_array(a) for a in outputs]
            return
        if self._network:
            yield self._ramps(), _arrays(self._network.parent, f"{self._network.stem}_output")
            return
        for folder in sorted(Path(self.case.model_dir).glob("test_data_set_*")):
            yield _arrays(folder, "input"), _arrays(folder, "output")

    def _ramps(self) -> list[np.ndarray]:
        """The inputs that ONNX's own runner gives a network."""
        graph = self.model().graph
        weights = {t.name for t in graph.initializer}
        inputs = [i for i in graph.input if i.name not in weights]
        return [Runner.generate_dummy_data(i) for i in inputs]

    def run(self) -> None:
        """Compare clnet's outputs with the expected ones, at ONNX's tolerances."""
        prepared = ClnetBackend.prepare(self.model())
        for inputs, outputs in self.data_sets():
            got = list(prepared.run(inputs))
            Runner.assert_similar_outputs(outputs, got, self.case.rtol, self.case.atol)


def load_cases() -> list[BackendCase]:
    """All cases. Takes some seconds: ONNX computes the expected outputs anew."""
    return [BackendCase(kind, case) for kind in KINDS for case in load_model_tests(kind=kind)]


def _array(value: np.ndarray | TensorProto) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def _arrays(folder: Path, stem: str) -> list[np.ndarray]:
    arrays = []
    for i in range(len(list(folder.glob(f"{stem}_*.pb")))):
        tensor = TensorProto()
        tensor.ParseFromString((folder / f"{stem}_{i}.pb").read_bytes())
        arrays.append(numpy_helper.to_array(tensor))
    return arrays
