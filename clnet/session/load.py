"""load: a model file becomes a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clnet.errors import ModelError
from clnet.graph import Graph
from clnet.importers import read_model
from clnet.runtime.devices import Device, find_device
from clnet.session.session import Session


def load(
    model: str | Path,
    device: str | int | Device | None = None,
    precision: str = "fp32",
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    weights: str | Path | None = None,
) -> Session:
    """Read a model file and compile it for a device.

    ``device`` is an index, ``"platform:device"``, a part of a name, or None for ``CLNET_DEVICE``
    or the best there is. ``precision`` "fp16" stores (and, where the device can, computes) in
    half. ``input_shapes`` gives shapes by input name where the model leaves them open; an open
    batch is 1 otherwise. ``weights`` is the second file of Caffe's and Darknet's models; without
    it, the one of the same name beside ``model`` is taken. Raises ModelError for what is wrong
    with the file, DeviceError where no device fits.
    """
    path = Path(model)

    def source(shapes: Mapping[str, Sequence[int]] | None) -> Graph:
        return read_model(path, shapes, Path(weights) if weights is not None else None)

    try:
        return Session(source, find_device(device), precision, input_shapes)
    except ModelError as error:
        raise error.located(file=path) from error
    except RecursionError as error:
        raise ModelError("nested too deeply", file=path) from error
