"""What losses share: three sums over all positions of a batch, in one launch or in two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Work
from clnet.device_info import DeviceInfo
from clnet.ops.lowering import ceil_div

#: More positions than this for each work-item are worth a second launch.
POSITIONS_PER_ITEM = 64


def totals_calls(
    kernel: str, positions: int, dtype: str, defines: Sequence[Define], device: DeviceInfo
) -> Candidate:
    """A loss and its totals[3] from inputs 0 and 1: ``kernel`` sums over a share of the positions
    in each work-group, ``totals_finish`` over the groups where there are several. ``defines`` are
    the kernel's own."""
    items = 1 if device.is_cpu else min(64, device.max_work_group_size)
    items = 1 << (items.bit_length() - 1)  # the tree of sums halves it
    most = device.compute_units * (4 if device.is_cpu else 8)
    groups = max(1, min(most, ceil_div(positions, items * POSITIONS_PER_ITEM)))
    macros = (*defines, ("ITEMS", items), ("GROUPS", groups))
    outputs = (Out(0), Out(1)) if groups == 1 else (Work(), Work())
    size = (groups * items,)
    calls = [KernelCall(kernel, kernel, (In(0), In(1), *outputs), size, (items,), macros)]
    if groups > 1:
        finish = (Work(), Out(0), Out(1))
        calls.append(KernelCall(kernel, "totals_finish", finish, (1,), (1,), macros))
    work = (3 * groups * max(4, np.dtype(dtype).itemsize),) if groups > 1 else ()
    return Candidate("work-groups", tuple(calls), work)
