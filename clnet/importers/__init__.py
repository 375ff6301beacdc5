"""Model files in, graphs out: one package per format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Graph

#: Formats of two files: the suffix of the network, and that of its weights.
_WEIGHTS = {".cfg": ".weights", ".prototxt": ".caffemodel"}
_NETWORKS = {weights: network for network, weights in _WEIGHTS.items()}


def read_model(
    path: Path,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    weights: Path | None = None,
) -> Graph:
    """Read a model file of any supported format: ONNX, TFLite, Caffe (a prototxt and a
    caffemodel), Darknet (a cfg and weights).

    ``weights`` is the second file of the formats that have two; without it, the file of the same
    name beside ``path`` is taken. Raises ModelError naming file, node and reason.
    """
    path, weights = _files(path, weights)
    suffix = path.suffix.lower()
    if suffix in _WEIGHTS:
        assert weights is not None
        if suffix == ".cfg":
            from clnet.importers.darknet import read_darknet

            return read_darknet(path, weights, input_shapes)
        from clnet.importers.caffe import read_caffe

        return read_caffe(path, weights, input_shapes)
    if weights is not None:
        raise ModelError(f"takes no file of weights, but {weights} is given", file=path)
    if suffix == ".onnx":
        from clnet.importers.onnx import read_onnx

        return read_onnx(path, input_shapes)
    if suffix == ".tflite":
        from clnet.importers.tflite import read_tflite

        return read_tflite(path, input_shapes)
    raise UnsupportedError(f"the format {path.suffix!r} is not known", file=path)


def _files(path: Path, weights: Path | None) -> tuple[Path, Path | None]:
    """The network and its weights, whichever of the two ``path`` is."""
    suffix = path.suffix.lower()
    if suffix in _NETWORKS:
        network = path.with_suffix(_NETWORKS[suffix])
        if not network.is_file():
            raise ModelError(f"these are weights only; {network} would be their network", file=path)
        return network, path
    if suffix in _WEIGHTS and weights is None:
        weights = path.with_suffix(_WEIGHTS[suffix])
        if not path.is_file():
            raise ModelError("cannot be read: no such file", file=path)
        if not weights.is_file():
            raise ModelError(
                f"needs its weights: none are given, nor is there {weights}", file=path
            )
    return path, weights
