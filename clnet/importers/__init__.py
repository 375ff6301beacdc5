"""Model files in, graphs out: one package per format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clnet.errors import UnsupportedError
from clnet.graph import Graph


def read_model(path: Path, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """Read a model file of any supported format. Raises ModelError naming file, node and reason."""
    if path.suffix == ".onnx":
        from clnet.importers.onnx import read_onnx

        return read_onnx(path, input_shapes)
    raise UnsupportedError(f"the format {path.suffix!r} is not known", file=path)
