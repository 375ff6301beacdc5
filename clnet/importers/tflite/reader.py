"""The entry: a file becomes a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Graph


def read_tflite(path: Path, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """Read a TFLite file. Inputs and outputs keep its names, dtypes and shapes (channels last);
    weights stay in the file, which is mapped, until they are used.

    ``input_shapes`` gives shapes by input name where the model leaves them open; an open batch is
    1 otherwise. Raises ModelError naming the operator and the reason, InputError where
    ``input_shapes`` does not fit, UnsupportedError where flatbuffers or tflite is not installed.
    """
    try:
        from clnet.importers.tflite.flat import faults_are_model_errors
        from clnet.importers.tflite.importer import Importer
        from clnet.importers.tflite.model import parse
    except ModuleNotFoundError as error:
        if error.name not in ("flatbuffers", "tflite"):
            raise
        raise UnsupportedError(
            f"reading TFLite needs the package {error.name}: pip install 'clnet[tflite]'", file=path
        ) from error
    try:
        if path.stat().st_size == 0:
            raise ModelError("the file is empty", file=path)
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"cannot be read: {reason}", file=path) from error
    try:
        with faults_are_model_errors():
            model = parse(data.data)
        return Importer(model, input_shapes or {}).run()
    except ModelError as error:
        raise error.located(file=path) from error
