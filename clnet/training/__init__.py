"""Training on the device: the same graph, passes, plan and launches as inference."""

from clnet.training import optimizers, schedules
from clnet.training.history import History
from clnet.training.trainer import Trainer

__all__ = ["History", "Trainer", "optimizers", "schedules"]
