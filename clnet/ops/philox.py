"""Random numbers as a function of a counter and a key: the reference of ``include/philox.h``."""

from __future__ import annotations

import numpy as np

#: What a key grows by from round to round.
WEYL = 0x9E3779B9
_MULTIPLIER, _ROUNDS = 0xD256D193, 10


def philox(counter: np.ndarray, key: np.ndarray | int) -> np.ndarray:
    """Random uint32[..., 2] from counters uint32[..., 2] and keys uint32[...]: Philox2x32-10.

    Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011).
    """
    left, right = counter[..., 0].astype(np.uint64), counter[..., 1].astype(np.uint64)
    keys = np.asarray(key, np.uint64)
    for number in range(_ROUNDS):
        product = left * np.uint64(_MULTIPLIER)
        round_key = (keys + np.uint64(number * WEYL)) & np.uint64(0xFFFFFFFF)
        left, right = (
            (product >> np.uint64(32)) ^ round_key ^ right,
            product & np.uint64(0xFFFFFFFF),
        )
    return np.stack([left, right], -1).astype(np.uint32)
