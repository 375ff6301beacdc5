"""ONNX models: bytes in, Graph out."""

from clnet.importers.onnx.importer import NotConstantError
from clnet.importers.onnx.reader import read_model_proto, read_onnx

__all__ = ["NotConstantError", "read_model_proto", "read_onnx"]
