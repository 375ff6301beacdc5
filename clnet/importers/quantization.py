"""Scales of quantised products, whatever the format."""

from __future__ import annotations

import numpy as np


def split_factors(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positive factors as powers of two times the rest, between 1 and 2. float32.

    The power of two goes into the weights of a product: they stay exact, and so do the sums, while
    these come near to the size of the result, which half precision needs.
    """
    powers = np.exp2(np.floor(np.log2(np.where(factors > 0, factors, 1)))).astype(np.float32)
    return powers, factors / powers
