"""Reductions, searches and running sums."""

from __future__ import annotations

from clnet.exporters.onnx.registry import spelling
from clnet.exporters.onnx.writer import NodeWriter
from clnet.ops.arg_reduce import ArgReduce
from clnet.ops.cum_sum import CumSum
from clnet.ops.reduce import Reduce
from clnet.ops.top_k import TopK

#: What a function makes of each element where there is nothing to sum up.
_ALONE = {"L1": "Abs", "L2": "Abs", "LogSum": "Log"}
#: dtypes that ONNX's CumSum takes.
_SUMMED = ("float32", "float64", "int32", "int64", "uint32", "uint64")


@spelling(Reduce)
def reduce(write: NodeWriter) -> str:
    op = write.op
    if not op.axes:
        if op.function == "SumSquare":
            return write.add("Mul", *write.inputs, *write.inputs)
        return write.add(_ALONE.get(op.function, "Identity"), *write.inputs)
    if write.spec().dtype == "bool":
        write.require(20)
    return write.add(
        f"Reduce{op.function}", *write.inputs, write.constant(op.axes), keepdims=op.keepdims
    )


@spelling(ArgReduce)
def arg_reduce(write: NodeWriter) -> str:
    op = write.op
    return write.add(
        f"Arg{op.function}",
        *write.inputs,
        axis=op.axis,
        keepdims=op.keepdims,
        select_last_index=op.select_last_index,
    )


@spelling(CumSum)
def cum_sum(write: NodeWriter) -> str:
    """Of small numbers by way of larger ones."""
    op, dtype, (x,) = write.op, write.spec().dtype, write.inputs
    wide = dtype if dtype in _SUMMED else "float32" if write.spec().is_float else "int32"
    if wide != dtype:
        x = write.cast(x, wide)
    y = write.add("CumSum", x, write.constant(op.axis), exclusive=op.exclusive, reverse=op.reverse)
    return y if wide == dtype else write.cast(y, dtype)


@spelling(TopK)
def top_k(write: NodeWriter) -> tuple[str, ...]:
    op = write.op
    return write.add_several(
        2,
        "TopK",
        *write.inputs,
        write.constant([op.k]),
        axis=op.axis,
        largest=op.largest,
        sorted=op.sorted,
    )
