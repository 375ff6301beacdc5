"""Weighted sums along each axis: interpolation, and the gradient of whatever samples axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Packed, PackedRef, Ref, Work
from clnet.device_info import DeviceInfo
from clnet.ops.axis_lookup import constant_table
from clnet.ops.expression import literal
from clnet.ops.lowering import float_defines, grid
from clnet.ops.resize_tables import AxisTable
from clnet.tensor_spec import TensorSpec


def weigh_axes(
    x: TensorSpec,
    out_shape: Sequence[int],
    tables: Mapping[int, AxisTable],
    extrapolation: float,
    device: DeviceInfo,
) -> Candidate:
    """x with the axes that have a table sampled by it: one after the other, the one that shrinks
    most first, through scratch memory. Where a table says outside stands ``extrapolation``."""
    calls: list[KernelCall] = []
    packed: list[Packed] = []
    workspace: list[int] = []
    source, shape = In(), list(x.shape)
    order = sorted(tables, key=lambda axis: out_shape[axis] / x.shape[axis])
    for axis in order:
        table = tables[axis]
        length, inner = shape[axis], math.prod(shape[axis + 1 :])
        shape[axis] = out_shape[axis]
        size = math.prod(shape)
        width = max(w for w in (1, 2, 4, 8, 16) if inner % w == 0 and w <= device.vector_width)
        run = out_shape[axis] if inner == 1 and device.is_cpu else 1
        indices = np.where(table.outside[:, None], -1, table.indices).astype(np.int32)
        tabled = (PackedRef(len(packed)), PackedRef(len(packed) + 1))
        weights = table.weights.astype(np.float32)
        packed += [constant_table(indices.T), constant_table(weights.T)]
        target: Ref = Out()
        if axis != order[-1]:
            target = Work(len(workspace))
            workspace.append(size * x.itemsize)
        beyond: tuple[Define, ...] = ()
        if table.outside.any():
            beyond = (("EXTRAPOLATION", literal(extrapolation)),)
        defines = (
            *float_defines(x.dtype, device),
            ("VW", width),
            ("TAPS", indices.shape[1]),
            ("LENGTH", length),
            ("OUTPUTS", len(indices)),
            ("INNER", inner),
            ("RUN", run),
            ("SIZE", size),
            *beyond,
        )
        args = (source, *tabled, target)
        items = grid(size // (width * run))
        calls.append(KernelCall("resize_axis", "resize_axis", args, items, None, defines))
        source = target
    return Candidate("separable", tuple(calls), tuple(workspace), tuple(packed))
