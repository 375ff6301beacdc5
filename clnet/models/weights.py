"""Tells the weights of an imported graph from its other constants."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clnet.graph import Node, Value
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.elementwise import Elementwise
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.instance_normalization import InstanceNormalization
from clnet.ops.layer_normalization import LayerNormalization
from clnet.ops.recurrent import Recurrent

#: What the constant inputs of an op are, from input 1 on ("": nothing that is trained).
_ROLES: dict[type, tuple[str, ...]] = {
    Conv: ("weight", "bias"),
    ConvTranspose: ("weight", "bias"),
    Gemm: ("weight", "bias"),
    MatMul: ("weight",),
    BatchNormalization: ("scale", "bias", "mean", "variance"),
    InstanceNormalization: ("scale", "bias"),
    LayerNormalization: ("scale", "bias"),
    Recurrent: ("weight", "", "", "peepholes", "bias"),
}
_STATISTICS = ("mean", "variance")
#: Elementwise functions that apply weights, one for each channel: scales, biases, slopes.
_PER_CHANNEL = {"Add": "bias", "Mul": "scale", "PRelu": "slope"}
#: What a GraphBuilder calls constants that have no name of their own, or that it computed.
_NAMELESS = re.compile(r"constant_\d+|.*:\d+")


def find_weights(nodes: Sequence[Node], x: Value) -> dict[str, tuple[Value, bool]]:
    """Name → constant and whether it is trained, for the float constants that are weights.

    Others, such as scalars, anchors and what normalises the input ``x``, stay constants.
    """
    found: dict[str, tuple[Value, bool]] = {}
    known: set[Value] = set()
    for node in nodes:
        for value, role in _candidates(node, x):
            if value in known or not value.is_constant or value.spec.dtype != "float32":
                continue
            known.add(value)
            name = f"{node.name}.{role}" if _NAMELESS.fullmatch(value.name) else value.name
            unique, number = name, 1
            while unique in found:
                number += 1
                unique = f"{name}_{number}"
            found[unique] = (value, role not in _STATISTICS)
    return found


def _candidates(node: Node, x: Value) -> list[tuple[Value, str]]:
    """The inputs of a node that are weights if they are constant."""
    if isinstance(node.op, Elementwise):
        steps = node.op.expression.steps
        role = _PER_CHANNEL.get(steps[0].function) if len(steps) == 1 else None
        if role is None or x in node.inputs:
            return []
        return [(v, role) for v in node.inputs if v is not None and _is_per_channel(v)]
    roles = _ROLES.get(type(node.op), ())
    return [(v, r) for v, r in zip(node.inputs[1:], roles, strict=False) if v and r]


def _is_per_channel(value: Value) -> bool:
    """One number for each channel: a single dimension is more than one."""
    return sum(d > 1 for d in value.spec.shape) == 1
