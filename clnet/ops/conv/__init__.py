"""Convolution and its algorithms."""

from clnet.ops.conv.conv import Conv

__all__ = ["Conv"]
