"""Reductions over axes, running sums, and where the largest or smallest element is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clnet.errors import ModelError
from clnet.importers.onnx.node import OnnxNode, normalized
from clnet.importers.onnx.registry import converter
from clnet.ops.arg_reduce import ArgReduce
from clnet.ops.cast import Cast
from clnet.ops.cum_sum import CumProd, CumSum
from clnet.ops.elementwise import elementwise
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape

_FUNCTIONS = (
    "Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"
)  # fmt: skip


@converter(*(f"Reduce{function}" for function in _FUNCTIONS))
def reduce(node: OnnxNode) -> Any:
    """No axes mean all of them, or with noop_with_empty_axes none."""
    function, rank = node.op_type.removeprefix("Reduce"), node.input().spec.rank
    axes = node.integers_at("axes", 1, 13 if function == "Sum" else 18)
    if not axes and not node.flag("noop_with_empty_axes"):
        axes = tuple(range(rank))
    numbers = tuple(sorted({normalized(a, rank) for a in axes or ()})) if rank else ()
    return node.add(Reduce(function, numbers, node.flag("keepdims", True)), node.input())


@converter("CumSum", "CumProd")
def cumulative(node: OnnxNode) -> Any:
    axes = node.integers_of(1)
    if len(axes) != 1:
        raise ModelError(f"{len(axes)} axes instead of one")
    axis = normalized(axes[0], node.input().spec.rank)
    op = CumSum if node.op_type == "CumSum" else CumProd
    return node.add(op(axis, node.flag("exclusive"), node.flag("reverse")), node.input())


@converter("ArgMax", "ArgMin")
def arg_reduce(node: OnnxNode) -> Any:
    op = ArgReduce(
        node.op_type.removeprefix("Arg"),
        node.axis("axis", 0, node.input().spec.rank),
        node.flag("keepdims", True),
        node.flag("select_last_index"),
    )
    return node.add(op, node.input())


@converter("Hardmax")
def hardmax(node: OnnxNode) -> Any:
    """1 where the first largest element of an axis is, 0 elsewhere. Before opset 13 the axes from
    ``axis`` on are one."""
    x = node.input()
    shape, dtype = x.spec.shape, x.spec.dtype
    axis = node.axis("axis", -1 if node.opset >= 13 else 1, x.spec.rank)
    if node.opset < 13:
        x = node.add(Reshape((math.prod(shape[:axis]), math.prod(shape[axis:]))), x)
        axis = 1
    largest = node.add(ArgReduce("Max", axis), x)
    numbers = np.arange(x.spec.shape[axis]).reshape(-1, *(1,) * (x.spec.rank - 1 - axis))
    hot = node.add(elementwise("Equal"), largest, node.constant(numbers))
    return node.add(Cast(dtype), hot if hot.spec.shape == shape else node.add(Reshape(shape), hot))
