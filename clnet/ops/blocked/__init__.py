"""Ops on blocked channels, NCHWc: what a CPU computes with whole vectors of channels.

A blocked tensor is an ordinary one of five dimensions, [N, ceil(C / c), H, W, c]; lanes beyond the
last channel hold whatever follows from zero weights, and no channel that counts depends on them.
``passes/block_channels.py`` decides where a graph uses them.
"""

from clnet.ops.blocked.conv import BlockedConv
from clnet.ops.blocked.inverted_bottleneck import InvertedBottleneck
from clnet.ops.blocked.layout import Block, Unblock
from clnet.ops.blocked.pooled import PooledConv
from clnet.ops.blocked.separable import SeparableConv

__all__ = ["Block", "BlockedConv", "InvertedBottleneck", "PooledConv", "SeparableConv", "Unblock"]
