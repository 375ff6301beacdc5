"""The table of elementwise functions: one row each, used alone, fused, and behind other ops."""

from clnet.ops.functions import (  # noqa: F401  (fill the table)
    activations,
    arithmetic,
    comparison,
    slopes,
)
from clnet.ops.functions.table import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function"]
