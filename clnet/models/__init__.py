"""Networks to train: described in Python, layer by layer."""

from clnet.models.convolutional import digits_cnn, lenet
from clnet.models.sequential import Sequential

__all__ = ["Sequential", "digits_cnn", "lenet"]
