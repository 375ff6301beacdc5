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
    untrained: bool = False,
) -> Graph:
    """Read a model file of any supported format: ONNX, TFLite, Caffe (a prototxt and a
    caffemodel), Darknet (a cfg and weights).

    ``weights`` is the second file of the formats that have two; without it, the file of the same
    name beside ``path`` is taken, and if there is none, random ones are where ``untrained``. Raises
    ModelError naming file, node and reason.
    """
    path, weights = _files(path, weights, untrained)
    suffix = path.suffix.lower()
    if suffix in _WEIGHTS:
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


def weights_file(path: Path) -> Path | None:
    """Where the weights of a network are looked for; None where it holds them itself."""
    suffix = _WEIGHTS.get(path.suffix.lower())
    return None if suffix is None else path.with_suffix(suffix)


def _files(path: Path, weights: Path | None, untrained: bool) -> tuple[Path, Path | None]:
    """The network and its weights, whichever of the two ``path`` is."""
    suffix = path.suffix.lower()
    if suffix in _NETWORKS:
        network = path.with_suffix(_NETWORKS[suffix])
        if not network.is_file():
            raise ModelError(f"these are weights only; {network} would be their network", file=path)
        return network, path
    beside = weights_file(path)
    if beside is not None and weights is None:
        if not path.is_file():
            raise ModelError("cannot be read: no such file", file=path)
        if beside.is_file():
            weights = beside
        elif not untrained:
            raise ModelError(f"needs its weights: none are given, nor is there {beside}", file=path)
    return path, weights
