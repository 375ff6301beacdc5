"""Copies between two views of memory: what Transpose, Slice, Concat and their kind come down to.

A view is an offset and a stride per dimension, all in elements; strides may be negative or zero
(a repeated source). Neighbouring dimensions that both sides walk alike are merged, then one of
three kernels moves the bytes: runs that are contiguous on both sides as vectors, transpositions in
tiles, anything else element by element.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clnet.calls import Define, KernelCall, Ref
from clnet.device_info import DeviceInfo
from clnet.ops.lowering import ceil_div, grid, index_text, merge_dimensions, round_up, strides_of

#: OpenCL C type that carries an element of so many bytes; not every GPU loads 64-bit words.
CARRIERS = {1: "uchar", 2: "ushort", 4: "uint", 8: "uint2"}


@dataclass(frozen=True)
class View:
    """Where elements lie: element ``offset`` plus the sum of index times stride."""

    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def of(cls, shape: Sequence[int]) -> View:
        """A whole row-major tensor."""
        return cls(strides_of(shape))

    def permuted(self, perm: Sequence[int]) -> View:
        """The same elements with the dimensions in another order."""
        return View(tuple(self.strides[p] for p in perm), self.offset)

    def halved(self) -> View:
        """The same memory in elements of half the size, of which a pair is one dimension more."""
        return View((*(2 * s for s in self.strides), 1), 2 * self.offset)


def copy_call(
    source: Ref,
    target: Ref,
    itemsize: int,
    shape: Sequence[int],
    source_view: View,
    target_view: View,
    device: DeviceInfo,
) -> KernelCall:
    """The call that copies ``shape`` elements of ``itemsize`` bytes from one view to another."""
    if itemsize == 8:  # the kernels make vectors of elements, so these become pairs
        source_view, target_view = source_view.halved(), target_view.halved()
        itemsize, shape = 4, (*shape, 2)
    dims, (read, write) = merge_dimensions(shape, [source_view.strides, target_view.strides])
    read_view, write_view = View(read, source_view.offset), View(write, target_view.offset)
    args = (source, target)
    copied = _Copy(args, itemsize, dims, read_view, write_view)
    if not dims or (read[-1] == 1 and write[-1] == 1):
        return copied.runs(device)
    if 1 in read and 1 in write:
        return copied.transposed(device)
    return copied.elements(device)


@dataclass(frozen=True)
class _Copy:
    """A copy over merged dimensions, and the call for each kernel."""

    args: tuple[Ref, Ref]
    itemsize: int
    dims: tuple[int, ...]
    read: View
    write: View

    def defines(self, dims: Sequence[int], read: View, write: View) -> tuple[Define, ...]:
        """Element type and the first element of flat index ``i`` over ``dims``, on both sides."""
        return (
            ("ELEMENT", CARRIERS[self.itemsize]),
            ("SOURCE(i)", f"({read.offset} + {index_text(dims, read.strides)})"),
            ("TARGET(i)", f"({write.offset} + {index_text(dims, write.strides)})"),
        )

    def elements(self, device: DeviceInfo) -> KernelCall:
        """One work-item per element."""
        size = math.prod(self.dims)
        defines = (*self.defines(self.dims, self.read, self.write), ("SIZE", size))
        return KernelCall("copy", "copy_elements", self.args, grid(size), None, defines)

    def runs(self, device: DeviceInfo) -> KernelCall:
        """One work-item per vector of the innermost dimension."""
        run = self.dims[-1] if self.dims else 1
        widest = min(16, device.vector_width * 4 // self.itemsize)
        width = max(w for w in (1, 2, 4, 8, 16) if w <= max(1, min(widest, run)))
        outer = self.dims[:-1]
        chunks = ceil_div(run, width)
        items = math.prod(outer) * chunks
        view = [View(v.strides[:-1], v.offset) for v in (self.read, self.write)]
        defines = (
            *self.defines(outer, *view),
            ("RUN", run),
            ("WIDTH", width),
            ("CHUNKS", chunks),
            ("SIZE", items),
        )
        return KernelCall("copy_runs", "copy_runs", self.args, grid(items), None, defines)

    def transposed(self, device: DeviceInfo) -> KernelCall:
        """Tiles over the two dimensions that are contiguous on one side each."""
        across, along = self.read.strides.index(1), self.write.strides.index(1)
        rows, columns = self.dims[along], self.dims[across]  # of the source's matrix
        outer = [d for d in range(len(self.dims)) if d not in (across, along)]
        dims = [self.dims[d] for d in outer]
        batch = math.prod(dims)
        defines = (
            *self.defines(dims, self.read.permuted(outer), self.write.permuted(outer)),
            ("ROWS", rows),
            ("COLUMNS", columns),
            ("SOURCE_STRIDE", self.read.strides[along]),
            ("TARGET_STRIDE", self.write.strides[across]),
            ("BATCH", batch),
        )
        side = 16
        if (
            not device.is_cpu
            and min(rows, columns) >= side
            and device.max_work_group_size >= side * side
            and min(device.max_work_item_sizes[:2]) >= side
            and device.local_memory >= side * (side + 1) * self.itemsize
        ):
            size = (round_up(columns, side), round_up(rows, side), batch)
            defines = (*defines, ("SIDE", side))
            return KernelCall(
                "transpose", "transpose_local", self.args, size, (side, side, 1), defines
            )
        tile_rows, tile_columns = min(rows, 16), min(columns, 16 if device.is_cpu else 1)
        size = (ceil_div(columns, tile_columns), ceil_div(rows, tile_rows), batch)
        defines = (*defines, ("TILE_ROWS", tile_rows), ("TILE_COLUMNS", tile_columns))
        return KernelCall("transpose", "transpose_block", self.args, size, None, defines)
