"""Darknet's gradient descent: biases and normalisation's scales do not decay."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clnet.training.optimizers import SGD


@dataclass(frozen=True, kw_only=True)
class DarknetSGD(SGD):
    """SGD with momentum whose weight decay is for weights alone."""

    def of(self, name: str) -> DarknetSGD:
        """Without decay, unless ``name`` is a convolution's or a connected layer's weight."""
        return self if name.endswith(".weight") else replace(self, weight_decay=0.0)
