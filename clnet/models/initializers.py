"""First values of weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from clnet.errors import InputError

#: (generator, shape) -> float32 array. Axis 0 of a weight is its output, axis 1 its input, and
#: the rest the taps of a kernel.
Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def glorot(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform within sqrt(6 / (fan in + fan out)), for tanh and linear layers.

    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (2010).
    """
    taps = math.prod(shape[2:])
    return _uniform(rng, shape, math.sqrt(6 / (taps * (shape[0] + shape[1]))))


def he(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform within sqrt(6 / fan in), for layers before a ReLU.

    He et al., "Delving Deep into Rectifiers" (2015).
    """
    return _uniform(rng, shape, math.sqrt(6 / math.prod(shape[1:])))


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, for biases."""
    return np.zeros(shape, np.float32)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], limit: float) -> np.ndarray:
    return rng.uniform(-limit, limit, shape).astype(np.float32)


INITIALIZERS: dict[str, Initializer] = {"glorot": glorot, "he": he, "zeros": zeros}


def find_initializer(name: str) -> Initializer:
    """An initializer by name. Raises InputError naming those there are."""
    if name not in INITIALIZERS:
        raise InputError(f"no initializer is named {name!r}; there are {', '.join(INITIALIZERS)}")
    return INITIALIZERS[name]
