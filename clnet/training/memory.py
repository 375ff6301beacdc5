"""What training needs of the device's memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryUse:
    """Bytes, all held at once while training runs: the weights, what the optimizer keeps beside
    them, and activations, gradients and batches, validation's included."""

    weights: int
    optimizer: int
    work: int

    @property
    def peak(self) -> int:
        """All together."""
        return self.weights + self.optimizer + self.work
