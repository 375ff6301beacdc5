"""Darknet: a cfg, which lists the layers, and a file of weights."""

from clnet.importers.darknet.reader import read_darknet

__all__ = ["read_darknet"]
