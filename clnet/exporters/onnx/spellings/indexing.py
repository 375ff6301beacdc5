"""Elements put by index or read at computed places, and what varies in shape."""

from __future__ import annotations

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter
from clnet.ops.bit_cast import BitCast
from clnet.ops.compress import Compress
from clnet.ops.cum_sum import CumProd
from clnet.ops.determinant import Determinant
from clnet.ops.grid_sample import GridSample
from clnet.ops.random_numbers import RandomNumbers
from clnet.ops.roi_align import RoiAlign
from clnet.ops.scatter_elements import ScatterElements
from clnet.ops.unique import Unique


@spelling(ScatterElements)
def scatter_elements(write: NodeWriter) -> str:
    x, indices, updates = write.inputs
    shape = write.spec(2).shape
    if write.spec(1).shape != shape:
        indices = write.add("Expand", indices, write.constant(shape))
    reduction = write.op.reduction
    return write.add(
        "ScatterElements", x, indices, updates, axis=write.op.axis, reduction=reduction
    )


@spelling(GridSample)
def grid_sample(write: NodeWriter) -> str:
    """Volumes are there since opset 20, with other names of the modes."""
    op = write.op
    if op.pixels or write.spec().rank < 4:
        raise write.unsupported("GridSample by numbers of elements, or along one axis")
    mode = op.mode
    if write.spec().rank > 4:
        write.require(20)
    elif mode != "nearest":
        mode = f"bi{mode}"
    return write.add(
        "GridSample", *write.inputs, mode=mode, padding_mode=op.padding,
        align_corners=op.align_corners,
    )  # fmt: skip


@spelling(RoiAlign)
def roi_align(write: NodeWriter) -> str:
    op = write.op
    x, regions, numbers = write.inputs
    return write.add(
        "RoiAlign", x, regions, write.cast(numbers, "int64"), output_height=op.size[0],
        output_width=op.size[1], sampling_ratio=op.samples, spatial_scale=op.scale,
        mode="max" if op.largest else "avg",
        coordinate_transformation_mode="half_pixel" if op.half_pixel else "output_half_pixel",
    )  # fmt: skip


@spelling(Compress)
def compress(write: NodeWriter) -> str:
    return write.add("Compress", *write.inputs, axis=write.op.axis)


@spelling(Unique)
def unique(write: NodeWriter) -> tuple[str, ...]:
    op = write.op
    return write.add_several(4, "Unique", *write.inputs, axis=op.axis, sorted=op.ordered)


@spelling(Determinant)
def determinant(write: NodeWriter) -> str:
    return write.add("Det", *write.inputs)


@spelling(RandomNumbers)
def random_numbers(write: NodeWriter) -> str:
    op = write.op
    names = ("low", "high") if op.distribution == "uniform" else ("mean", "scale")
    drawn = write.add(
        f"Random{op.distribution.title()}", shape=op.shape,
        seed=None if op.seed is None else float(op.seed),
        **dict(zip(names, (op.a, op.b), strict=True)),
    )  # fmt: skip
    return write.cast(drawn, op.dtype)


@spelling(CumProd, BitCast)
def of_the_newest(write: NodeWriter) -> str:
    """ONNX has these in opsets that few can read yet."""
    raise write.unsupported(f"{write.op.label} that others read")
