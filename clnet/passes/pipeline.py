"""The ordered list of graph rewrites that every model goes through."""

from __future__ import annotations

from collections.abc import Callable

from clnet.graph import Graph
from clnet.passes.dead_code import remove_dead_code
from clnet.passes.precision import to_half

#: Each rewrite leaves a graph that computes the same.
REWRITES: tuple[Callable[[Graph], None], ...] = (remove_dead_code,)


def optimize(graph: Graph, precision: str = "fp32") -> None:
    """Rewrite ``graph`` in place: simpler, fused, and in the precision asked for."""
    for rewrite in REWRITES:
        rewrite(graph)
    if precision == "fp16":
        to_half(graph)
