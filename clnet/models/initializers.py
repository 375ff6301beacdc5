"""First values of weights."""

from __future__ import annotations

import math

import numpy as np

from clnet.errors import InputError
from clnet.models.scope import Initializer


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


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with standard deviation sqrt(2 / fan in), as in the same article."""
    return normal(math.sqrt(2 / math.prod(shape[1:])))(rng, shape)


def lecun(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform within sqrt(3 / fan in): outputs vary as much as inputs do.

    LeCun et al., "Efficient BackProp" (1998).
    """
    return _uniform(rng, shape, math.sqrt(3 / math.prod(shape[1:])))


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Rows (or, where there are more of them, columns) that are orthonormal.

    Saxe et al., "Exact solutions to the nonlinear dynamics of learning" (2014).
    """
    rows, columns = shape[0], math.prod(shape[1:])
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diagonal(r))  # else QR's own signs would make it less than uniform
    return (q if rows >= columns else q.T).reshape(shape).astype(np.float32)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, for biases."""
    return np.zeros(shape, np.float32)


def ones(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Ones, for the scales of normalisation."""
    return np.ones(shape, np.float32)


def normal(deviation: float) -> Initializer:
    """An initializer: normal around 0 with this standard deviation."""
    return lambda rng, shape: (deviation * rng.standard_normal(shape)).astype(np.float32)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], limit: float) -> np.ndarray:
    return rng.uniform(-limit, limit, shape).astype(np.float32)


INITIALIZERS: dict[str, Initializer] = {
    "glorot": glorot,
    "he": he,
    "he_normal": he_normal,
    "lecun": lecun,
    "orthogonal": orthogonal,
    "zeros": zeros,
    "ones": ones,
}


def find_initializer(which: str | Initializer) -> Initializer:
    """An initializer by name, or itself. Raises InputError naming those there are."""
    if callable(which):
        return which
    if which not in INITIALIZERS:
        raise InputError(f"no initializer is named {which!r}; there are {', '.join(INITIALIZERS)}")
    return INITIALIZERS[which]
