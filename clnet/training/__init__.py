"""Training on the device: the same graph, passes, plan and launches as inference."""

from clnet.training import optimizers, schedules
from clnet.training.augmentation import Augmentation
from clnet.training.early_stop import EarlyStop
from clnet.training.history import History
from clnet.training.progress import Progress
from clnet.training.trainer import Trainer

__all__ = [
    "Augmentation",
    "EarlyStop",
    "History",
    "Progress",
    "Trainer",
    "optimizers",
    "schedules",
]
