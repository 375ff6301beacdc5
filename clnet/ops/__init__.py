"""All ops. Importing this package registers every one of them."""

from clnet.ops import (
    arg_reduce,
    batch_normalization,
    cast,
    conv,
    elementwise,
    gemm,
    instance_normalization,
    lrn,
    pooling,
    reduce,
    softmax,
)
from clnet.ops.base import Arg, Case, Op, register, registry, spelled

__all__ = [
    "Arg",
    "Case",
    "Op",
    "arg_reduce",
    "batch_normalization",
    "cast",
    "conv",
    "elementwise",
    "gemm",
    "instance_normalization",
    "lrn",
    "pooling",
    "reduce",
    "register",
    "registry",
    "softmax",
    "spelled",
]
