"""What networks are made of: small descriptions that append their nodes to a graph."""

from clnet.models.layers.activation import Activation, Dropout, Softmax
from clnet.models.layers.base import Input, Layer, Named, Tensor
from clnet.models.layers.convolution import Conv, ConvTranspose, Dense
from clnet.models.layers.joining import Add, Branches, Concat, Flatten, Reshape, Residual
from clnet.models.layers.normalization import BatchNorm
from clnet.models.layers.pooling import AveragePool, GlobalAveragePool, MaxPool, Upsample

__all__ = [
    "Activation",
    "Add",
    "AveragePool",
    "BatchNorm",
    "Branches",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "Input",
    "Layer",
    "MaxPool",
    "Named",
    "Reshape",
    "Residual",
    "Softmax",
    "Tensor",
    "Upsample",
]
