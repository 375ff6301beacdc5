"""Pooling over windows and over whole feature maps, in one to three spatial dimensions."""

from clnet.ops.pooling.average_pool import AveragePool
from clnet.ops.pooling.global_pool import GlobalAveragePool, GlobalMaxPool
from clnet.ops.pooling.max_pool import MaxPool

__all__ = ["AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"]
