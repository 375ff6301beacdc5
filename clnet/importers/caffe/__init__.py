"""Caffe: a prototxt (the net) and a caffemodel (its weights)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clnet.errors import ModelError
from clnet.graph import Graph
from clnet.importers.caffe.importer import build_net
from clnet.importers.caffe.text import read_text
from clnet.importers.caffe.weights import CaffeModel, RandomWeights

__all__ = ["read_caffe"]


def read_caffe(
    path: Path,
    weights: Path | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
) -> Graph:
    """Read a prototxt, with the weights of a caffemodel. Without, they are random, out of ``seed``.

    It is read as its TEST phase has it. Losses and measures are dropped: what they would have read
    is an output as it is, so a net that ends in SoftmaxWithLoss gives scores before the softmax.
    A data layer becomes an input that takes what the layer would have delivered: means, scales
    and crops of ``transform_param`` are for the caller to apply. Outputs are the blobs that nobody
    reads. ``input_shapes`` gives shapes by input name, instead of the file's or where it has none.

    Raises ModelError naming the layer and the reason, InputError where ``input_shapes`` does not
    fit.
    """
    try:
        net = read_text(path)
        return build_net(net, CaffeModel(weights) if weights else RandomWeights(seed), input_shapes)
    except ModelError as error:
        raise error.located(file=path) from error
