"""What ``Trainer.fit`` returns."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """One entry per epoch. ``loss`` and ``accuracy`` are means over the samples as they were
    trained on; the validation's stay empty without validation data. ``samples`` is how many an
    epoch has, so that ``samples / seconds[i]`` is its speed."""

    samples: int = 0
    seconds: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)

    @property
    def samples_per_second(self) -> float:
        """Over all epochs."""
        total = sum(self.seconds)
        return self.samples * len(self.seconds) / total if total else 0.0
