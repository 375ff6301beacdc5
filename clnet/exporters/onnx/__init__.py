"""Graphs out as ONNX models."""

from clnet.exporters.onnx.model import to_onnx, write_model, write_onnx
from clnet.exporters.onnx.states import carry_states

__all__ = ["carry_states", "to_onnx", "write_model", "write_onnx"]
