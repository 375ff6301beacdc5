"""Convolution and its algorithms."""

from clnet.ops.conv.conv import Conv
from clnet.ops.conv.gradient import ConvWeightGradient

__all__ = ["Conv", "ConvWeightGradient"]
