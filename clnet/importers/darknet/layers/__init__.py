"""One function per type of layer. Importing this package registers them all."""

from clnet.importers.darknet.layers import convolution, detection, joining, plain, pooling, shape

__all__ = ["convolution", "detection", "joining", "plain", "pooling", "shape"]
