"""The launches of pool.cl."""

from __future__ import annotations

from collections.abc import Sequence

from clnet.calls import Define, In, KernelCall, Out
from clnet.device_info import DeviceInfo
from clnet.ops.lowering import STORAGE_TYPES, float_defines, grid, strides_of
from clnet.ops.pooling.windows import Axis
from clnet.ops.reduce import initial
from clnet.ops.rows import fitting_width
from clnet.tensor_spec import TensorSpec


def pool(
    x: TensorSpec, axes: Sequence[Axis], device: DeviceInfo, *, average: bool = False,
    count_padding: bool = False, index_order: int | None = None,
) -> KernelCall:  # fmt: skip
    """Pooling of ``x``; with ``index_order`` 0 or 1 the second output is the indices."""
    maps = x.shape[0] * x.shape[1]
    padded = [Axis(1, 1, 1, 0, 0, 1, False)] * (3 - len(axes)) + list(axes)
    rows = device.is_cpu and x.is_float and index_order is None
    middle = padded[-1].middle
    width = 1
    if rows:
        if len(middle) and padded[-1].stride <= 2:
            width = fitting_width(len(middle), device)
        kind = float_defines(x.dtype, device)
    elif x.is_float:
        kind = float_defines(x.dtype, device)
    else:
        kind = (("INTEGER", STORAGE_TYPES[x.dtype]),)
    sizes = [a.count for a in padded]
    # A row of one vector, as of blocks of channels, is not worth an item.
    together = sizes[1] if sizes[2] == width else 1
    defines: list[Define] = [*kind, ("VW", width), ("MAPS", maps), ("AVERAGE", int(average))]
    for letter, axis in zip("DHW", padded, strict=True):
        defines += [
            (f"IN_{letter}", axis.size),
            (f"OUT_{letter}", axis.count),
            (f"KERNEL_{letter}", axis.kernel),
            (f"STRIDE_{letter}", axis.stride),
            (f"DILATION_{letter}", axis.dilation),
            (f"PAD_{letter}", axis.begin),
            (f"COUNTED_{letter}", axis.size + axis.end),
        ]
    defines += [
        ("COUNT_PADDING", int(count_padding)),
        ("LOWEST", initial("lowest", x.dtype)),
        ("INDICES", int(index_order is not None)),
        ("ROWS", together),
        ("MIDDLE_BEGIN", middle.start),
        ("MIDDLE_END", middle.stop),
    ]
    if rows:
        size = grid(maps * sizes[0] * sizes[1] // together)
        return KernelCall("pool", "pool_rows", (In(), Out()), size, None, tuple(defines))
    args = (In(), Out()) if index_order is None else (In(), Out(0), Out(1))
    if index_order is not None:
        shape = [a.size for a in padded]
        strides = strides_of(shape) if index_order == 0 else strides_of(shape[::-1])[::-1]
        defines += [(f"INDEX_{n}", s) for n, s in zip("DHW", strides, strict=True)]
    size = grid(sizes[2], sizes[1], sizes[0] * maps)
    return KernelCall("pool", "pool_items", args, size, None, tuple(defines))
