"""Graphs out as ONNX models."""

from clnet.exporters.onnx.model import to_onnx, write_model, write_onnx

__all__ = ["to_onnx", "write_model", "write_onnx"]
