"""Operators that fold axes."""

from __future__ import annotations

from typing import Any

from clnet.importers.tflite.converters.arithmetic import as_dtype
from clnet.importers.tflite.node import TfliteNode, normalized
from clnet.importers.tflite.registry import converter
from clnet.ops.arg_reduce import ArgReduce
from clnet.ops.cum_sum import CumSum
from clnet.ops.reduce import Reduce
from clnet.ops.top_k import TopK

_LINEAR = {"MEAN": "Mean", "SUM": "Sum"}
_EXACT = {"REDUCE_MAX": "Max", "REDUCE_MIN": "Min"}
_OTHER = {"REDUCE_PROD": "Prod", "REDUCE_ANY": "Max", "REDUCE_ALL": "Min"}
_FUNCTIONS = {**_LINEAR, **_EXACT, **_OTHER}


def reduction(node: TfliteNode) -> Any:
    """Over the axes in input 1."""
    x = node.input()
    axes = {normalized(a, x.spec.rank) for a in node.integers_of(1)} if x.spec.rank else set()
    keep = bool(node.option("KeepDims", False))
    return node.add(Reduce(_FUNCTIONS[node.name], tuple(sorted(axes)), keep), x)


converter(*_LINEAR, linear=(0,))(reduction)
converter(*_EXACT, linear=(0,), exact=True)(reduction)
converter(*_OTHER)(reduction)


@converter("ARG_MAX", "ARG_MIN", linear=(0,), exact=True)
def arg_reduction(node: TfliteNode) -> Any:
    x = node.input()
    op = ArgReduce(
        "Max" if node.name == "ARG_MAX" else "Min",
        normalized(node.scalar(1), x.spec.rank),
        keepdims=False,
    )
    return as_dtype(node, node.add(op, x), node.importer.dtype(node.operator.outputs[0]))


@converter("TOPK_V2", linear=(0,), exact=True)
def top_k(node: TfliteNode) -> Any:
    values, indices = node.add(TopK(int(node.scalar(1))), node.input())
    return values, as_dtype(node, indices, node.importer.dtype(node.operator.outputs[1]))


@converter("CUMSUM")
def cumulative_sum(node: TfliteNode) -> Any:
    x = node.input()
    axis = normalized(node.scalar(1), x.spec.rank)
    flags = bool(node.option("Exclusive", False)), bool(node.option("Reverse", False))
    return node.add(CumSum(axis, *flags), x)
