"""TFLite models in, graphs out."""

from clnet.importers.tflite.reader import read_tflite

__all__ = ["read_tflite"]
