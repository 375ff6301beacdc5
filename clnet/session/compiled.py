"""A model made executable on a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.memory.arena import ArenaPlan
from clnet.runtime.executable import Executable, Region
from clnet.session.lowered import Layer


@dataclass
class Compiled:
    """What a session runs, and where its inputs, outputs and states are."""

    executable: Executable
    inputs: dict[str, Region]
    outputs: dict[str, Region]
    states: dict[str, Region]
    first: dict[str, np.ndarray]  #: what its own states start as
    arena: ArenaPlan
    weight_bytes: int
    build_seconds: float
    tuned: int  #: nodes with a tuning record of their own
    layers: list[Layer]  #: of each call, before any were joined, the layer that it is for

    def hand_over(self, other: Compiled) -> None:
        """Copy what inputs, outputs and states hold to another plan for the same model."""
        for ours, theirs in (
            (self.inputs, other.inputs),
            (self.outputs, other.outputs),
            (self.states, other.states),
        ):
            for name, region in ours.items():
                self.executable.hand_over(region, other.executable, theirs[name])
