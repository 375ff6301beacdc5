"""Class names, and the likeliest classes of an output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clnet.errors import InputError

_SYNSET = re.compile(r"^n\d{8}\s+")
_MAX_BYTES = 16 << 20


def read_labels(path: Path) -> list[str]:
    """One class per line; quotes and ImageNet's synset numbers (n01440764) are dropped."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a file of labels")
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f"{path} holds no labels")
    return [_SYNSET.sub("", line.strip().strip("'\"")) for line in lines]


def is_scores(array: np.ndarray) -> bool:
    """Whether an output looks like one score per class: [N] or [1,N], or [1,N,1,1]."""
    return array.dtype.kind == "f" and array.size > 1 and max(array.shape) == array.size


@dataclass(frozen=True)
class Best:
    """A class and its score; ``label`` is None where there are no labels."""

    index: int
    score: float
    label: str | None


def top(array: np.ndarray, number: int, labels: Sequence[str]) -> list[Best]:
    """The best ``number`` classes, the best first.

    A model with one class more than there are labels has TensorFlow's background as class 0.
    """
    scores = array.reshape(-1)
    names: list[str | None] = list(labels) if labels else [None] * scores.size
    if len(names) == scores.size - 1:
        names.insert(0, "background")
    best = np.argsort(-scores, kind="stable")[:number]
    return [Best(int(i), float(scores[i]), names[i]) for i in best]


def is_distribution(array: np.ndarray) -> bool:
    """Whether the scores are probabilities."""
    total = float(array.sum(dtype=np.float64))
    return bool(array.min() >= 0) and abs(total - 1) < 1e-2
