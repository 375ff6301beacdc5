"""A copy in which each axis has its own table of where to read: Pad, and Resize to the nearest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Packed, PackedRef
from clnet.device_info import DeviceInfo
from clnet.ops.lowering import grid, strides_of
from clnet.ops.strided_copy import CARRIERS
from clnet.tensor_spec import TensorSpec


def constant_table(table: np.ndarray) -> Packed:
    """A table of the op's own in the device's memory."""
    return Packed(None, lambda: table, TensorSpec.of(table))


def look_up(
    x: TensorSpec,
    y: TensorSpec,
    tables: Mapping[int, np.ndarray],
    value: float,
    device: DeviceInfo,
) -> Candidate:
    """y's element at (c0, c1, …) is x's at (tables[0][c0], tables[1][c1], …), or ``value`` where
    one of these is negative. An axis without a table is taken as it is."""
    entries = [np.empty(0, np.int32)]
    outer, signs = [], ["0"]
    start, inner, last = 0, y.size, "(c)"
    for axis, (extent, stride) in enumerate(zip(y.shape, strides_of(x.shape), strict=True)):
        inner //= extent
        coordinate = f"i / {inner} % {extent}"
        if axis in tables:
            table = tables[axis]
            entries.append(np.where(table < 0, -1, table * stride).astype(np.int32))
            text, last = f"table[{start} + {coordinate}]", f"table[{start} + (c)]"
            start += extent
            signs.append(f"p{axis}")
        else:
            text, last = f"{coordinate} * {stride}", "(c)"
        outer.append(f"const int p{axis} = {text};")
    outer.pop()  # the last axis is walked by the kernel
    width = y.shape[-1]
    enough = y.size // width >= 2 * device.compute_units
    run = width if device.is_cpu and enough else 1
    bits = np.array([value]).astype(x.dtype).view(f"u{min(x.itemsize, 4)}")
    defines = (
        ("ELEMENT", CARRIERS[x.itemsize]),
        ("OUTER", " ".join(outer)),
        ("OUTER_SIGN", " | ".join(s for s in signs if s != f"p{y.rank - 1}")),
        ("OUTER_SUM", " + ".join(["0", *(f"p{axis}" for axis in range(y.rank - 1))])),
        ("LAST(c)", last),
        ("EXTENT", width),
        ("RUN", run),
        ("VALUE", f"({', '.join(f'{int(b):#x}u' for b in bits)})"),
        ("SIZE", y.size),
    )
    args = (In(), PackedRef(), Out())
    call = KernelCall("lookup", "lookup", args, grid(y.size // run), None, defines)
    return Candidate("lookup", (call,), packed=(constant_table(np.concatenate(entries)),))
