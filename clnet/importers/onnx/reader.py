"""The entry: a file or a message becomes a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import ModelProto

from clnet.errors import ModelError
from clnet.graph import Graph
from clnet.importers.onnx.importer import Importer
from clnet.importers.onnx.wire import take_out_weights

Shapes = Mapping[str, Sequence[int]]


def read_onnx(path: Path, input_shapes: Shapes | None = None) -> Graph:
    """Read an ONNX file. Weights stay in the file, which is mapped, until they are used.

    ``input_shapes`` gives shapes by input name where the model leaves them open; an open batch is
    1 otherwise. Raises ModelError naming the node and the reason, InputError where
    ``input_shapes`` does not fit.
    """
    try:
        if path.stat().st_size == 0:
            raise ModelError("the file is empty", file=path)
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"cannot be read: {reason}", file=path) from error
    try:
        message, spans = take_out_weights(data.data)
        raw = {i: data[slice(*span)] for i, span in spans.items()}
        return Importer(_parse(message), path.parent, raw, input_shapes or {}, {}).run()
    except ModelError as error:
        raise error.located(file=path) from error


def read_model_proto(
    model: ModelProto,
    folder: Path | None = None,
    input_shapes: Shapes | None = None,
    constants: Mapping[str, np.ndarray] | None = None,
) -> Graph:
    """Read a model that is in memory already. Data files are looked for in ``folder`` only.

    ``constants`` gives values of inputs beforehand: the graph holds for those values and does not
    have the inputs. Raises as :func:`read_onnx` does.
    """
    return Importer(model, folder, {}, input_shapes or {}, constants or {}).run()


def _parse(message: bytes) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(message)
    except DecodeError as error:
        raise ModelError(f"not an ONNX model, or damaged: {error}") from error
    if not model.HasField("graph"):
        raise ModelError("not an ONNX model: it has no graph")
    return model
