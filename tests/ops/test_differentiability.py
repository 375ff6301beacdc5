"""Every op has a gradient that is checked, or is named here with the reason why it has none."""

from __future__ import annotations

import pytest

from clnet.ops import Op, registry
from clnet.ops.functions import FUNCTIONS

WITHOUT_GRADIENT = {
    "whole numbers or choices come out": {
        "ArgReduce", "NonMaxSuppression", "DetectionOutput", "DetectionPostProcess",
    },
    "is a gradient, and nothing takes second ones": {
        "BatchNormalizationGradient", "ConvWeightGradient", "DiceLossGradient",
        "ElementLossGradient", "GatherGradient", "HostGradient", "MaxPoolGradient",
        "SamplingGradient", "SoftmaxCrossEntropyGradient",
    },
    "augments samples, ahead of the network": {"AddNoise", "SmoothField", "Warp"},
    "made of weights that no longer change": {
        "Block", "BlockedConv", "InvertedBottleneck", "PooledConv", "SeparableConv", "Unblock",
    },
    "changes states, behind all gradients": {"Update", "UpdateBehind"},
    "whole numbers, bits or new numbers come out": {"BitCast", "NonZero", "RandomNumbers"},
    "only a run tells how many elements come out": {"Compress", "Unique"},
}  # fmt: skip
FUNCTIONS_WITHOUT_GRADIENT = {
    "steps, whose slope is zero or nothing": {
        "Floor", "Ceil", "Round", "RoundAway", "Sign", "Mod", "ToFormat",
    },
    "truth values and bits": {
        "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not",
        "IsNaN", "IsInf", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShiftLeft",
        "BitShiftRight",
    },
    "parts of gradients": {
        "IfAtMost", "IfLess", "LeakyBySlope",
        *(name for name in FUNCTIONS if name.endswith("Gradient")),
    },
}  # fmt: skip


@pytest.mark.parametrize("cls", registry(), ids=lambda cls: cls.__name__)
def test_every_op_is_checked_or_excused(cls: type[Op]) -> None:
    by_cases = any(case.differentiable for case in cls.cases())
    checked = by_cases or cls.__name__ in ("Elementwise", "Cast")  # tests/autodiff checks those
    excused = any(cls.__name__ in names for names in WITHOUT_GRADIENT.values())
    assert checked != excused
    assert (cls.vjp is not Op.vjp or cls.expand is not Op.expand) == checked


def test_every_function_is_checked_or_excused() -> None:
    """tests/autodiff checks those of the table that have a gradient."""
    excused = set().union(*FUNCTIONS_WITHOUT_GRADIENT.values())
    assert excused == {name for name, row in FUNCTIONS.items() if row.gradient is None}
