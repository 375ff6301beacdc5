"""Gradients of a graph, appended to it as ordinary nodes."""

from clnet.autodiff.recompute import recompute
from clnet.autodiff.reverse import gradients

__all__ = ["gradients", "recompute"]
