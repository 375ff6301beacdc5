"""Samples to train on: MNIST and other IDX files, folders of images, NumPy files."""

from clnet.datasets.dataset import Dataset, Pixels
from clnet.datasets.folder import image_folder
from clnet.datasets.idx import mnist, read_idx
from clnet.datasets.opening import open_dataset

__all__ = ["Dataset", "Pixels", "image_folder", "mnist", "open_dataset", "read_idx"]
