"""How exact the median of noisy samples is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def deviation(samples: Sequence[float]) -> float:
    """The median distance of samples from their median."""
    middle = statistics.median(samples)
    return statistics.median(abs(s - middle) for s in samples)


def standard_error(samples: Sequence[float]) -> float:
    """Of the median, if samples are normal: 1.2533 times the mean's, by a standard deviation of
    1.4826 times the median one."""
    return 1.2533 * 1.4826 * deviation(samples) / math.sqrt(len(samples))
