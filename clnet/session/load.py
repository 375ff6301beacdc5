"""load: a model file becomes a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clnet.runtime.devices import Device, find_device
from clnet.session.model_file import model_source, naming
from clnet.session.session import Session


def load(
    model: str | Path,
    device: str | int | Device | None = None,
    precision: str = "fp32",
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    weights: str | Path | None = None,
    tune: float | None = None,
) -> Session:
    """Read a model file and compile it for a device.

    ``device`` is an index, ``"platform:device"``, a part of a name, or None for ``CLNET_DEVICE``
    or the best there is. ``precision`` "fp16" stores (and, where the device can, computes) in
    half. ``input_shapes`` gives shapes by input name where the model leaves them open; an open
    batch is 1 otherwise. ``weights`` is the second file of Caffe's and Darknet's models; without
    it, the one of the same name beside ``model`` is taken. ``tune`` seconds are spent on finding
    what is fastest here, unless that is known already (:meth:`Session.tune`). Raises ModelError for
    what is wrong with the file, DeviceError where no device fits.
    """
    with naming(model):
        session = Session(
            model_source(model, weights), find_device(device), precision, input_shapes
        )
        if tune:
            session.tune(tune)
    return session
