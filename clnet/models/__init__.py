"""Networks to train: described in Python, layer by layer."""

from clnet.models.convolutional import digits_cnn, lenet, mnist_cnn
from clnet.models.imported import Imported, imported
from clnet.models.mobilenet import mobilenet_v2
from clnet.models.model import Model, Sequential
from clnet.models.resnet import resnet
from clnet.models.unet import unet
from clnet.models.vgg import vgg

__all__ = [
    "Imported",
    "Model",
    "Sequential",
    "digits_cnn",
    "imported",
    "lenet",
    "mnist_cnn",
    "mobilenet_v2",
    "resnet",
    "unet",
    "vgg",
]
